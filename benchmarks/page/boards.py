"""How to measure a board: the last section of the benchmark page."""

from __future__ import annotations

BOARDS = """## Run this on your Pi or Jetson

From a checkout, Raspberry Pi OS or another Debian:

```sh
sudo apt-get install -y python3-venv chromium        # the browser only for the way to the pixels
python3 -m venv ecg && . ecg/bin/activate
pip install ".[web,tflite,plot]"                     # onnxruntime, LiteRT, monitor, figures; no torch
```

On a Jetson, whose onnxruntime-gpu is NVIDIA's build for its JetPack, in place of the last line:

```sh
pip install --no-deps . && pip install -r device/requirements-jetson.txt websockets matplotlib
```

Then, on either:

```sh
ecg-edge doctor && ecg-edge verify i-ii-int8         # the same answers as where the file was made
ecg-edge bench --suite --out report/                 # this page for your board, some minutes
ecg-edge bench i-ii-int8 --threads 1,2,4             # one model, with more threads
ecg-edge bench i-ii-int8 --floor p99=20 --floor core=5   # as a gate: exit status 3 above it
```

Set the governor to `performance` (`echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor`)
and let the board cool. Run it twice: the second run says how many of its ratios lie within the spread that the first
one states. The page holds the board's name. It also holds, before and after the run, governor, frequency, the hottest
zone's temperature and, on a Pi, what its firmware says of supply and throttling.

Joules have one of these sources:

| board | source |
|---|---|
| Intel, AMD | RAPL |
| Jetson | the INA sensor on the input rail, the one that tegrastats shows |
| Pi 5 | the power chip (`vcgencmd pmic_read_adc`), without what USB devices take |
| others | `--meter FILE`: an external meter's CSV that covers the run (`time_s,power_w`, seconds since 1970) |

Without torch the sections that write networks of other shapes say so in place of figures: every backend and precision,
the alternatives, growth. It was tried for function, not for
speed, on an emulated Cortex-A72 (`make test-aarch64`). Both runtimes verify the shipped file; a patch through a
pseudo-terminal is reconstructed and recorded; a calibration is fitted; `bench` measures. The recorded leads are those
of x86 to the last microvolt."""
