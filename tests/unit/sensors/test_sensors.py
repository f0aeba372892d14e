"""Sensors read recorded trees: the files of each board, as its kernel's documentation lays them out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from paredown.sensors import battery, find_sensor, ina238, ina3221, kinds, pmic, rapl
from paredown.sensors.sensor import Absent


def tree(root: Path, files: Mapping[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def channel(chip: str, i: int, label: str, millivolts: int, milliamperes: int) -> dict[str, object]:
    values = {f"in{i}_label": label, f"in{i}_input": millivolts, f"curr{i}_input": milliamperes}
    return {f"{chip}/{name}": value for name, value in values.items()}


ORIN_NANO = {
    "sys/class/hwmon/hwmon0/name": "tmp451",
    "sys/class/hwmon/hwmon1/name": "ina3221",
    **channel("sys/class/hwmon/hwmon1", 1, "VDD_IN", 5072, 896),
    **channel("sys/class/hwmon/hwmon1", 2, "VDD_CPU_GPU_CV", 5072, 88),
    **channel("sys/class/hwmon/hwmon1", 3, "VDD_SOC", 5064, 272),
    "sys/class/hwmon/hwmon1/in7_label": "sum of shunt voltages",
}
AGX_ORIN = {
    "sys/class/hwmon/hwmon3/name": "ina3221",
    **channel("sys/class/hwmon/hwmon3", 1, "VDD_GPU_SOC", 20000, 100),
    **channel("sys/class/hwmon/hwmon3", 2, "VDD_CPU_CV", 20000, 50),
    **channel("sys/class/hwmon/hwmon3", 3, "NC", 20000, 900),
    "sys/class/hwmon/hwmon4/name": "ina3221",
    **channel("sys/class/hwmon/hwmon4", 1, "VIN_SYS_5V0", 5000, 1000),
}
OLD = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
JETSON_NANO = {
    f"{OLD}/rail_name_0": "POM_5V_IN",
    f"{OLD}/rail_name_1": "POM_5V_GPU",
    f"{OLD}/rail_name_2": "POM_5V_CPU",
    f"{OLD}/in_power0_input": 2350,
    f"{OLD}/in_power1_input": 40,
    f"{OLD}/in_power2_input": 560,
}
PI_5 = """   3V7_WL_SW_A current(0)=0.08978552A
      1V8_SYS_A current(2)=0.19519460A
     VDD_CORE_A current(7)=1.42018700A
  3V7_WL_SW_V volt(8)=3.69632000V
     1V8_SYS_V volt(10)=1.80074200V
    VDD_CORE_V volt(15)=0.72026340V
       EXT5V_V volt(24)=5.15408000V
        BATT_V volt(25)=0.00000000V"""


def test_a_jetson_is_read_at_the_input_of_its_module(tmp_path: Path) -> None:
    sensor = ina3221.find(tree(tmp_path, ORIN_NANO))
    assert sensor.read() == pytest.approx(5.072 * 0.896)
    assert "VDD_IN" in sensor.covers
    assert not sensor.counts


def test_a_jetson_without_an_input_rail_is_the_sum_of_its_rails(tmp_path: Path) -> None:
    sensor = ina3221.find(tree(tmp_path, AGX_ORIN))
    assert sensor.read() == pytest.approx(2 + 1 + 5)
    assert sensor.covers == "the rails VDD_GPU_SOC, VDD_CPU_CV, VIN_SYS_5V0"


def test_the_older_driver_of_a_jetson(tmp_path: Path) -> None:
    sensor = ina3221.find(tree(tmp_path, JETSON_NANO))
    assert sensor.read() == pytest.approx(2.35)
    (tmp_path / OLD / "in_power0_input").write_text("5000\n")
    assert sensor.read() == pytest.approx(5)


def test_an_ina238_tells_microwatts(tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon2"
    sensor = ina238.find(tree(tmp_path, {f"{chip}/name": "ina238", f"{chip}/power1_input": 12_340_000}))
    assert sensor.read() == pytest.approx(12.34)


def vcgencmd(root: Path, script: str) -> Path:
    program = tree(root, {"usr/bin/vcgencmd": f"#!/bin/sh\n{script}"}) / "usr/bin/vcgencmd"
    program.chmod(0o755)
    return root


def test_a_pi_5_is_the_sum_of_its_rails(tmp_path: Path) -> None:
    sensor = pmic.find(vcgencmd(tmp_path, f"test $1 = pmic_read_adc && cat <<EOF\n{PI_5}\nEOF"))
    expected = 0.08978552 * 3.69632 + 0.1951946 * 1.800742 + 1.420187 * 0.7202634
    assert sensor.read() == pytest.approx(expected)
    with pytest.raises(ValueError, match="no rail"):
        pmic.watts("EXT5V_V volt(24)=5.15408000V")


def test_a_pi_4_has_no_such_chip(tmp_path: Path) -> None:
    refused = "echo 'error=1 error_msg=\"Command not registered\"'; exit 255"
    found = pmic.find(vcgencmd(tmp_path, refused))
    assert isinstance(found, Absent)
    assert "Command not registered" in found.why
    assert "only a Raspberry Pi 5" in found.why


def zone(name: str, label: str, energy: int, wrap: int = 1_000_000) -> dict[str, object]:
    files = {"name": label, "energy_uj": energy, "max_energy_range_uj": wrap}
    return {f"sys/class/powercap/{name}/{file}": value for file, value in files.items()}


def test_rapl_adds_packages_and_memory_and_follows_each_wrap(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            **zone("intel-rapl:0", "package-0", 900_000),
            **zone("intel-rapl:0:0", "core", 5),
            **zone("intel-rapl:0:1", "dram", 100, 65_000),
            **zone("intel-rapl:1", "psys", 7),
        },
    )
    sensor = rapl.find(root)
    assert sensor.read() == 0
    assert "dram, package-0" in sensor.covers
    tree(root, zone("intel-rapl:0", "package-0", 950_000))
    assert sensor.read() == pytest.approx(0.05)
    tree(root, zone("intel-rapl:0", "package-0", 50_000))  # from 0.95 J over its end at 1 J
    tree(root, zone("intel-rapl:0:1", "dram", 40_100, 65_000))
    assert sensor.read() == pytest.approx(0.15 + 0.04)
    tree(root, zone("intel-rapl:0:1", "dram", 100, 65_000))
    assert sensor.read() == pytest.approx(0.15 + 0.065)


def test_a_failed_read_of_rapl_loses_nothing(tmp_path: Path) -> None:
    root = tree(tmp_path, {**zone("intel-rapl:0", "package-0", 0), **zone("intel-rapl:1", "package-1", 0)})
    sensor = rapl.find(root)
    tree(root, zone("intel-rapl:0", "package-0", 400_000))
    (root / "sys/class/powercap/intel-rapl:1/energy_uj").unlink()
    with pytest.raises(OSError, match="energy_uj"):
        sensor.read()
    tree(root, zone("intel-rapl:1", "package-1", 100_000))
    assert sensor.read() == pytest.approx(0.5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_rapl_that_only_root_may_read_says_so(tmp_path: Path) -> None:
    root = tree(tmp_path, zone("intel-rapl:0", "package-0", 0))
    (root / "sys/class/powercap/intel-rapl:0/energy_uj").chmod(0)
    found = rapl.find(root)
    assert isinstance(found, Absent)
    assert "chmod a+r" in found.why


@pytest.mark.parametrize("form", ["power", "current"])
def test_a_battery_that_feeds_the_machine(tmp_path: Path, form: str) -> None:
    folder = "sys/class/power_supply/BAT0"
    drawn = {"current_now": -750_000, "voltage_now": 11_000_000}
    values = {"power_now": 8_250_000} if form == "power" else drawn
    files = {f"{folder}/{name}": v for name, v in values.items()}
    root = tree(tmp_path, {f"{folder}/type": "Battery", f"{folder}/status": "Discharging", **files})
    sensor = battery.find(root)
    assert sensor.read() == pytest.approx(8.25)
    tree(root, {f"{folder}/status": "Charging"})
    with pytest.raises(ValueError, match="Charging"):
        sensor.read()
    assert isinstance(battery.find(root), Absent)


def test_the_sensor_that_sees_most_is_taken(tmp_path: Path) -> None:
    root = tree(tmp_path, {**zone("intel-rapl:0", "package-0", 0), **ORIN_NANO})
    assert find_sensor(root).name == "ina3221"
    assert kinds(root) == ("ina3221", "rapl")


def test_no_sensor_is_absent_with_every_reason(tmp_path: Path) -> None:
    found = find_sensor(tmp_path)
    assert isinstance(found, Absent)
    for word in ("pmic", "ina3221", "ina238", "rapl", "battery"):
        assert f"{word}: " in found.why
    assert kinds(tmp_path) == ()
