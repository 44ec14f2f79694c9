"""A party of a training by three processes: `python -m trefoil.party`, which `fit` starts where `parties` is "processes".

It is told who it is on its standard input, and the rest over TLS; it reads and writes no file.
"""

from ._core import party

if __name__ == "__main__":
    party()
