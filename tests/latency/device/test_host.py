"""The description of this machine, and of others that the files of a system describe."""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import onnxruntime
import pytest

from latency.device import host as module
from latency.device import strict_json
from latency.device.errors import FileFormatError
from latency.device.host import Host, current_host, device_state
from tests.support.ssh_jobs import script

CPU = "/sys/devices/system/cpu"
CGROUP = "/sys/fs/cgroup"
PI = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 asimddp fphp
CPU implementer\t: 0x41
CPU variant\t: 0x4
CPU part\t: 0xd0b
"""
XEON = """\
cpu family\t: 6
model\t\t: 143
model name\t: Intel Xeon
stepping\t: 8
cpu MHz\t\t: 2000.000
flags\t\t: fpu avx2 sse4_2 fma ht

cpu MHz\t\t: 3001.000
"""

System = Callable[[Mapping[str, str]], None]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    """Lets the system consist of these files alone: path -> content."""

    def use(files: Mapping[str, str]) -> None:
        def matching(pattern: str) -> list[str]:
            return fnmatch.filter(files, pattern)

        monkeypatch.setattr(module, "_read", files.get)
        monkeypatch.setattr(module, "glob", SimpleNamespace(glob=matching))
        monkeypatch.setattr(os.path, "exists", lambda path: path in files)

    return use


def test_the_host_describes_this_machine_and_survives_its_json() -> None:
    host = current_host()
    assert host.cores_visible >= 1 and host.cpu_model
    assert host.onnxruntime == onnxruntime.__version__
    assert strict_json.decode(Host, json.loads(json.dumps(host.to_json())), "a host") == host


def test_the_fingerprint_follows_what_decides_a_latency() -> None:
    host = current_host()

    def changed(**fields: object) -> str:
        return Host(**{**host.__dict__, **fields}).fingerprint

    assert len(host.fingerprint) == 12 and set(host.fingerprint) <= set("0123456789abcdef")
    for same in ({"load_average": 99.0}, {"hostname": "other"}, {"kernel": "other"}):
        assert changed(**same) == host.fingerprint
    for other in ({"cpu_model": "x"}, {"isa_flags": ("z",)}, {"cores_visible": 999}):
        assert changed(**other) != host.fingerprint
    assert changed(onnxruntime="1.0.0") != changed(onnxruntime="1.1.0")
    assert changed(onnxruntime="1.1.0") == changed(onnxruntime="1.1.7")


def test_an_incomplete_host_is_refused() -> None:
    value = current_host().to_json()
    del value["cpu_model"]
    with pytest.raises(FileFormatError, match="Expected the key 'cpu_model' in a host"):
        strict_json.decode(Host, value, "a host")


def test_an_arm_board_is_named_by_its_part_numbers(system: System) -> None:
    system({"/proc/cpuinfo": PI, f"{CPU}/cpu0/cpufreq/scaling_governor": "performance"})
    host = current_host()
    assert host.cpu_model == "0x41 0xd0b 0x4" and host.governor == "performance"
    assert host.isa_flags == ("asimd", "asimddp", "fphp")


def test_a_processor_of_a_virtual_machine_is_named_with_its_generation(system: System) -> None:
    system({"/proc/cpuinfo": XEON})
    host = current_host()
    assert host.cpu_model == "Intel Xeon (6/143/8)" and host.governor is None
    assert host.isa_flags == ("avx2", "fma", "sse4_2")


def test_the_frequency_is_the_mean_over_the_cores(system: System) -> None:
    system({"/proc/cpuinfo": XEON})
    assert device_state().frequency_mhz == 2500.5
    # Where the kernel scales the frequency, it knows better than the processor's description.
    khz = {f"{CPU}/cpu0/cpufreq/scaling_cur_freq": "600000"}
    khz[f"{CPU}/cpu11/cpufreq/scaling_cur_freq"] = "800000"
    system({"/proc/cpuinfo": XEON, **khz})
    assert device_state().frequency_mhz == 700.0


def test_the_hottest_sensor_that_can_be_read_is_the_temperature(system: System) -> None:
    texts = ["41000", "57250", "", "broken"]
    zones = {f"/sys/class/thermal/thermal_zone{n}/temp": text for n, text in enumerate(texts)}
    system(zones)
    assert device_state().temperature_celsius == 57.25


def test_what_a_system_does_not_tell_is_unknown(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> int:
        raise ValueError(name)

    system({})
    monkeypatch.setattr(os, "sysconf", refuse)
    host = current_host()
    assert host.ram_bytes == 0 and host.isa_flags == () and host.cpu_model
    assert (host.quota_cores, host.governor, host.frequency_mhz) == (None, None, None)
    assert device_state().temperature_celsius is None and not host.container


def test_the_memory_is_that_of_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert current_host().ram_bytes == 4_096_000


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000"}, None),
    ],
)
def test_the_quota_of_a_container_is_told_in_cores(
    system: System, files: Mapping[str, str], cores: float | None
) -> None:
    system({f"{CGROUP}/{name}": text for name, text in files.items()})
    assert current_host().quota_cores == cores


@pytest.mark.parametrize(
    ("files", "container"),
    [
        ({"/.dockerenv": ""}, True),
        ({"/run/.containerenv": ""}, True),
        ({"/proc/1/cgroup": "12:pids:/kubepods/besteffort/pod1"}, True),
        ({"/proc/1/cgroup": "0::/init.scope"}, False),
    ],
)
def test_a_container_is_known_by_its_marks(
    system: System, files: Mapping[str, str], container: bool
) -> None:
    system(files)
    assert current_host().container is container


def test_all_cores_are_visible_where_a_system_cannot_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert current_host().cores_visible == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert current_host().cores_visible == 1


@pytest.mark.parametrize(
    ("firmware", "said"),
    [
        ('test "$*" = get_throttled && echo throttled=0x50005', "throttled=0x50005"),
        ("exit 1", None),
        (None, None),
    ],
)
def test_a_board_tells_itself_whether_it_is_throttled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, firmware: str | None, said: str | None
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}")
    if firmware is not None:
        script(tmp_path / "vcgencmd", firmware)
    assert device_state().throttled == said


def test_a_firmware_program_that_does_not_start_leaves_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "vcgencmd"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    assert device_state().throttled is None


def test_limits_that_somebody_set_are_compared() -> None:
    here = replace(current_host(), quota_cores=None, governor="performance")
    assert here.other_limits(here) == []
    there = replace(here, quota_cores=0.5, governor="powersave")
    assert here.other_limits(there) == [
        "quota_cores: none here, 0.5 there",
        "governor: performance here, powersave there",
    ]
    # A frequency policy that one of them cannot see may be the same.
    assert here.other_limits(replace(here, governor=None)) == []
    assert here.differences(there) == [] and here.fingerprint == there.fingerprint
