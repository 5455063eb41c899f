"""Leads as they arrive, with `for` and with `async for`.

    python docs/examples/live_loop.py [SOURCE] [SECONDS]

SOURCE is a serial port, tcp://host:port, replay:RECORD, synthetic: (the default) or auto.
"""

import asyncio
import sys

import ecg_edge as ee

SOURCE = sys.argv[1] if len(sys.argv) > 1 else "synthetic:"
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0


def threads() -> None:
    """Print the newest V2 of every block."""
    with ee.open_stream(SOURCE) as blocks:
        for block in blocks:
            state = "warming up" if block.warmup[-1] else "valid" if block.valid[-1].all() else "invalid"
            print(f"{block.seconds[-1]:6.2f} s  V2 {block.lead('V2')[-1]:+.3f} mV  {state}")
            if block.seconds[-1] >= SECONDS:
                break


async def tasks() -> None:
    """Count the same blocks while another task goes on."""
    ticks = asyncio.create_task(clock())
    rows = 0
    async with ee.open_stream(SOURCE) as blocks:
        async for block in blocks:
            rows += len(block)
            if rows >= 100 * SECONDS:
                break
    ticks.cancel()
    leads = blocks.info.leads if blocks.info else ()
    print(f"{rows} rows from {', '.join(leads)}; notes: {[note.text for note in blocks.notes]}")


async def clock() -> None:
    """Something else that the event loop does."""
    while True:
        await asyncio.sleep(1)
        print("tick")


try:
    threads()
    asyncio.run(tasks())
except ee.EcgEdgeError as e:
    sys.exit(str(e))  # the message, and what to do about it
