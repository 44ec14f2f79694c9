"""What can go wrong, a class for each cause. Each message is one line: what, what was found, what was expected. None has a value of a record."""


class Error(Exception):
    """Any error of this package."""


class ConfigError(Error, ValueError):
    """Settings that cannot be, or do not fit the records."""


class DataError(Error, ValueError):
    """Records that are not as they must be."""


class FileError(Error, OSError):
    """A file that cannot be read or written."""


class DataWarning(UserWarning):
    """A remark on records that their owner should know before they are shared. It may have a value of theirs, and is for the owner alone."""


class ModelError(Error, ValueError):
    """A model, or a file that should hold one."""


class TrainingError(Error, RuntimeError):
    """A training that has gone astray, such as one that diverges."""


class ProtocolError(Error, RuntimeError):
    """Something between the parties: a link that breaks, a message that is not in order."""


class NetworkError(Error, ConnectionError):
    """A party that cannot be reached, or refuses."""


class RefusedError(Error, PermissionError):
    """Something that may not be done."""
