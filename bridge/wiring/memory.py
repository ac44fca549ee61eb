"""What Python and the C library are told about the memory of a process that runs for weeks."""

import asyncio
import ctypes
import gc

# A poll makes some 20,000 objects, and counting references frees them all. To look for cycles among them
# every 700 objects, as Python does by default, took a third of the CPU time.
OBJECTS_BETWEEN_COLLECTIONS = 50_000
GIVE_BACK_SECONDS = 30.0


def look_for_cycles_seldom() -> None:
    """To be called once all is built: what is there by then stays for good, and need not be looked at."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    gc.freeze()


async def give_back_memory(seconds: float = GIVE_BACK_SECONDS) -> None:
    """Has glibc give back to the system what is free, time and again; does nothing with another C library.

    Of itself it gives back only what is free at the end of an arena, and threads have up to eight arenas for
    each core. The threads of Kafka clients come and go with partitions, and each leaves a block behind that
    keeps what was freed before it: after half an hour of rebalances most of a process was such memory.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(trim, 0)  # without Python's lock: it takes milliseconds
