"""The notebooks run from top to bottom."""

import pathlib

import pytest
from test_organisations import PROGRAM

nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")
NOTEBOOKS = sorted((pathlib.Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    if path.stem == "hospitals":
        if not PROGRAM:
            pytest.skip("needs the program `trefoil`: its path in TREFOIL")
        monkeypatch.setenv("TREFOIL", PROGRAM)
    notebook = nbformat.read(path, 4)
    # What is committed was made by a run, too: each cell that says something has said it.
    assert any("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
