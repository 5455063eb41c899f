"""What the C library promises beyond its bytes: size, needs, compilers, and examples that keep up with it."""

import re
import subprocess
from fractions import Fraction

import pytest

from ecg_edge.firmware_bridge.ecglink.decoder import EcgLinkDecoder
from ecg_edge.firmware_bridge.ecglink.encoder import encode_command
from ecg_edge.firmware_bridge.events import Ack, Channel, DeviceStatus, SampleBlock, StreamInfo
from tests.support.c_device import STRICT, TESTS, C, compiler

EXAMPLES, STUBS = C / "examples", TESTS / "c_stubs"
README = (C / "README.md").read_text(encoding="utf-8")
WARN = ("-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{C}")
TARGETS = {
    "gcc": [],
    "arm-none-eabi-gcc": ["-mcpu=cortex-m0plus", "-mthumb"],
    "avr-gcc": ["-mmcu=atmega328p"],
}


def run(*words):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_it_compiles_without_a_warning_and_needs_nothing_but_string_h(tmp_path, target):
    made = tmp_path / "ecglink.o"
    flags = [*STRICT, *TARGETS[target], "-O2", "-ffreestanding", "-fno-stack-protector"]
    run(compiler(target), *flags, "-c", C / "ecglink.c", "-o", made)
    needed = re.findall(r"\bU (\w+)", run(compiler(target.replace("gcc", "nm")), "-u", made))
    # Names with two underscores are the compiler's own helpers (division on a Cortex-M0, say).
    assert [name for name in needed if not re.match(r"(mem|str)\w+$|__", name)] == []
    assert "strlen" in needed


def test_library_and_header_stay_under_400_lines_and_allocate_nothing():
    text = "".join((C / name).read_text() for name in ("ecglink.h", "ecglink.c"))
    assert text.count("\n") < 400
    assert max(map(len, text.splitlines())) <= 120
    assert re.findall(r"\b(malloc|calloc|alloca|printf|goto|va_list)\b", text) == []
    assert set(re.findall(r"#include <(.+)>", text)) == {"stdbool.h", "stddef.h", "stdint.h", "string.h"}


def test_the_header_is_cplusplus():
    run(compiler("g++"), "-std=c++11", "-pedantic", *WARN, "-x", "c++", C / "ecglink.h")


@pytest.mark.parametrize("sketch", sorted(p.stem for p in EXAMPLES.glob("*/*.ino")))
def test_arduino_examples_keep_up_with_the_header(sketch):
    source = EXAMPLES / sketch / f"{sketch}.ino"
    arduino = ["-include", STUBS / "arduino" / "Arduino.h", f"-I{STUBS / 'arduino'}"]
    run(compiler("g++"), "-std=gnu++11", *WARN, *arduino, "-x", "c++", source)


@pytest.mark.parametrize("system", ["esp_idf/main", "zephyr/src"])
def test_c_examples_keep_up_with_the_header(system):
    stubs = STUBS / system.split("/")[0]
    run(compiler("gcc"), "-std=gnu11", *WARN, f"-I{stubs}", EXAMPLES / system / "main.c")


def test_there_is_a_test_for_every_example():
    sources = {p.relative_to(EXAMPLES).as_posix() for p in EXAMPLES.rglob("*") if p.suffix in (".c", ".ino")}
    assert sources == {
        "ad8232_uno/ad8232_uno.ino",
        "ads1292r/ads1292r.ino",
        "esp_idf/main/main.c",
        "zephyr/src/main.c",
    }
    for build in ("esp_idf/CMakeLists.txt", "esp_idf/main/CMakeLists.txt", "zephyr/CMakeLists.txt"):
        folder = (EXAMPLES / build).parent
        text = (EXAMPLES / build).read_text()
        for up in re.findall(r"_DIR\}((?:/\.\.)+)", text):
            assert (folder / up[1:] / "ecglink.c").exists(), build


def test_the_uno_sketch_runs_and_is_understood(tmp_path):
    sketch, arduino = tmp_path / "uno", STUBS / "arduino"
    made = tmp_path / "ecglink.o"
    run(compiler("gcc"), "-std=c99", "-c", C / "ecglink.c", "-o", made)
    source = ["-include", arduino / "Arduino.h", "-x", "c++", EXAMPLES / "ad8232_uno" / "ad8232_uno.ino"]
    run(
        compiler("g++"), f"-I{C}", f"-I{arduino}", *source, arduino / "run_sketch.cpp", "-x", "none", made, "-o", sketch
    )
    host = encode_command(1, 7) + encode_command(4, 8, b"there?")
    said = subprocess.run([sketch, "5"], input=host, capture_output=True, check=True).stdout
    decoder = EcgLinkDecoder()
    events = decoder.feed(said)
    assert events[:3] == [
        StreamInfo(
            "AD8232 on Uno",
            Fraction(250),
            (Channel("I", 2929687500e-12, 512, 10, 0.5, 40, 0.0056, "LA", "RA"),),
            "1.0",
            "",
            Fraction(10**6),
            2,
            0b11,
        ),
        Ack(1, 7),
        Ack(4, 8, 0, b"there?"),
    ]
    blocks = [e for e in events if isinstance(e, SampleBlock)]
    assert 1240 <= decoder.tally.samples <= 1250
    assert (decoder.tally.lost, decoder.tally.bad_frames, decoder.tally.undescribed) == (0, 0, 0)
    counts = [int(c) for b in blocks for c in b.counts[:, 0]]
    assert counts == [(counts[0] + k) % 1024 for k in range(len(counts))]
    assert {b.lead_off for b in blocks} == {1}
    uptimes = [e.uptime_s for e in events if isinstance(e, DeviceStatus)]
    assert uptimes == pytest.approx([1, 2, 3, 4])


def test_the_program_in_the_readme_compiles(tmp_path):
    (block,) = re.findall(r"```c\n(.*?)```", README, re.DOTALL)
    (tmp_path / "readme.c").write_text(block)
    run(compiler("gcc"), "-std=c99", "-pedantic", *WARN, tmp_path / "readme.c")
    code = [line for line in block.splitlines() if line.strip()]
    assert len(code) <= 20


@pytest.mark.parametrize(
    ("tool", "flags", "column"),
    [
        ("arm-none-eabi-gcc", ["-mcpu=cortex-m0plus", "-mthumb"], 1),
        ("arm-none-eabi-gcc", ["-mcpu=cortex-m4", "-mthumb"], 2),
        ("avr-gcc", ["-mmcu=atmega328p"], 3),
    ],
)
def test_flash_and_ram_are_as_the_readme_says(tmp_path, tool, flags, column):
    (tmp_path / "ram.c").write_text('#include "ecglink.h"\necglink_device dev;\n')
    sizes = {}
    for name, source in (("flash", C / "ecglink.c"), ("RAM", tmp_path / "ram.c")):
        made = tmp_path / f"{name}.o"
        run(compiler(tool), "-std=c99", "-Os", "-fno-common", *flags, f"-I{C}", "-c", source, "-o", made)
        text, data, bss = map(int, run(compiler(tool.replace("gcc", "size")), made).splitlines()[1].split()[:3])
        sizes[name] = text + data + bss
    for name, measured in sizes.items():
        row = next(line for line in README.splitlines() if line.startswith(f"| {name}, "))
        said = int(row.split("|")[column + 1].split()[0])
        # Another version of the compiler may differ by some instructions.
        assert said == pytest.approx(measured, rel=0.05), name
