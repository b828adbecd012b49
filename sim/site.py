"""Hook of the documentation's site: the results page is made anew whenever the site is."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from sim.results import page


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    text = page(Path(config.docs_dir) / "records")
    files.append(File.generated(config, "records.md", content=text))
    return files
