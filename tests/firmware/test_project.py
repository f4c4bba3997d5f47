"""The PlatformIO project: it parses, every version is pinned, and every program has a budget that can fail."""

import configparser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
PROGRAMS = ("native", "qemu_m4", "esp32dev", "esp32s3", "esp32c3")


@pytest.fixture(scope="module")
def config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=None)
    parser.read(FIRMWARE / "platformio.ini")
    return parser


def option(config: configparser.ConfigParser, environment: str, name: str) -> str | None:
    """An option of an environment, or of what it extends."""
    section: str | None = f"env:{environment}"
    while section is not None:
        if (value := config.get(section, name, fallback=None)) is not None:
            return value
        section = config.get(section, "extends", fallback=None)
    return config.get("env", name, fallback=None)


def test_platformio_finds_no_error_and_no_warning() -> None:
    pytest.importorskip("platformio")
    command = [sys.executable, "-m", "platformio", "project", "config", "-d", str(FIRMWARE), "--lint", "--json-output"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == {"errors": [], "warnings": []}


@pytest.mark.parametrize("environment", PROGRAMS)
def test_every_program_has_a_budget_for_flash_and_ram(config: configparser.ConfigParser, environment: str) -> None:
    for kind in ("flash", "ram"):
        assert int((option(config, environment, f"custom_{kind}_budget") or "0").replace("_", "")) > 0
    assert "post:tools/budget.py" in (option(config, environment, "extra_scripts") or "")


@pytest.mark.parametrize("environment", ["esp32dev", "esp32s3", "esp32c3"])
def test_boards_are_declared_with_pinned_versions(config: configparser.ConfigParser, environment: str) -> None:
    pinned = re.compile(r"[\w/-]+@\d+\.\d+\.\d+")
    assert pinned.fullmatch(option(config, environment, "platform") or "")
    assert pinned.fullmatch(option(config, environment, "lib_deps") or "")
    assert option(config, environment, "board")
    assert option(config, environment, "framework") == "espidf"


def test_boards_are_not_built_unasked(config: configparser.ConfigParser) -> None:
    """Their packages come from the network: a plain `pio run` must not wait for them."""
    assert config["platformio"]["default_envs"].split(", ") == ["native", "qemu_m4"]


def test_the_components_of_esp_idf_are_pinned() -> None:
    text = (FIRMWARE / "src" / "idf_component.yml").read_text()
    assert re.search(r'^  espressif/esp-tflite-micro: "\d+\.\d+\.\d+"$', text, re.MULTILINE)
