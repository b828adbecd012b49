"""Notes to the user beside a result: a line each, in the log ``planesmith``."""

import logging
from functools import cache

from tqdm import tqdm


@cache
def say_once(text: str) -> None:
    """Log a line the first time it is said, above progress bars if there are any."""
    with tqdm.external_write_mode():
        logging.getLogger("planesmith").warning(text)
