"""The settings that Airflow takes from the environment. One that it does not know it silently ignores."""

import configparser
from importlib.util import find_spec
from pathlib import Path

from airflow.configuration import retrieve_configuration_description


def airflow_settings() -> set[str]:
    """``AIRFLOW__SECTION__KEY`` of every setting that Airflow and its providers know."""
    sections = retrieve_configuration_description(include_providers=True)
    known = {(section, key) for section, about in sections.items() for key in about["options"]}
    # Celery's provider is in the image only; Airflow itself carries its defaults.
    spec = find_spec("airflow")
    assert spec
    assert spec.submodule_search_locations
    defaults = configparser.ConfigParser(interpolation=None)
    defaults.read(Path(spec.submodule_search_locations[0], "config_templates", "provider_config_fallback_defaults.cfg"))
    known |= {(section, key) for section in defaults.sections() for key in defaults[section]}
    known.add(("celery", "result_backend"))  # it has no default
    return {f"AIRFLOW__{section}__{key}".upper() for section, key in known}
