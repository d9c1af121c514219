"""Plays the scenarios of suite.ts on Python's own multiprocessing.Pool, and prints what came out as JSON."""
import json
import multiprocessing
import os
import time
from multiprocessing import Pool


def square(x):
    return x * x


def add(a, b):
    return a + b


def fail_on_three(x):
    if x == 3:
        raise RuntimeError("three")
    return x


def fail_late_or_early(x):
    if x == 0:
        time.sleep(2)
        raise RuntimeError("late")
    if x == 5:
        raise RuntimeError("early")
    return x


def worker_of(_):
    return os.getpid()


def slow_first(x):
    if x == 0:
        time.sleep(0.5)
    return x


def sleep(seconds):
    time.sleep(seconds)
    return "slept"


base = 0


def set_base(value):
    global base
    base = value


def plus_base(x):
    return x + base


def runs(values):
    """How many neighbours came from the same worker: the sizes of chunks when a worker does one each."""
    sizes = []
    last = None
    for value in values:
        if value == last:
            sizes[-1] += 1
        else:
            sizes.append(1)
        last = value
    return sizes


def outcome(body):
    try:
        return {"value": body()}
    except multiprocessing.TimeoutError:
        return {"error": "TimeoutError"}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}


def read_on(iterator):
    """Everything an iterator gives, going on behind an error."""
    seen = []
    while True:
        try:
            seen.append(next(iterator))
        except StopIteration:
            return seen
        except Exception as error:
            seen.append("error: " + str(error))


def callbacks():
    seen = []
    with Pool(2) as pool:
        good = pool.map_async(square, [1, 2], None, seen.append, lambda error: seen.append(str(error)))
        good.wait()
        bad = pool.apply_async(fail_on_three, (3,), {}, seen.append, lambda error: seen.append(str(error)))
        bad.wait()
        time.sleep(0.05)
    return seen


def states():
    with Pool(1) as pool:
        result = pool.apply_async(sleep, (0.3,))
        before = [result.ready(), outcome(result.successful)["error"]]
        result.wait()
        failed = pool.apply_async(fail_on_three, (3,))
        failed.wait()
        return before + [result.ready(), result.successful(), failed.ready(), failed.successful()]


def after_close():
    pool = Pool(2)
    result = pool.map_async(square, range(6), 1)
    pool.close()
    refused = outcome(lambda: pool.map(square, [1]))
    pool.join()
    return [refused, result.get()]


def close_behind_imap():
    pool = Pool(2)
    results = pool.imap(square, range(50))
    pool.close()
    pool.join()
    return list(results)


def join_running():
    with Pool(1) as pool:
        return outcome(pool.join)


def timeouts():
    with Pool(1) as pool:
        result = pool.apply_async(sleep, (1,))
        first = outcome(lambda: result.get(0.05))
        slow = pool.imap(sleep, [1])
        second = outcome(lambda: slow.next(0.05))
        return [first, result.get(), second, slow.next(10)]


def using(body, *args):
    with Pool(*args) as pool:
        return body(pool)


scenarios = {
    "map": lambda: using(lambda p: p.map(square, range(10)), 3),
    "map of nothing": lambda: using(lambda p: p.map(square, []), 2),
    "map of a generator": lambda: using(lambda p: p.map(square, (n for n in range(5))), 2),
    "map, default chunks": lambda: using(lambda p: runs(p.map(worker_of, range(18))), 4, None, (), 1),
    "map, few items": lambda: using(lambda p: runs(p.map(worker_of, range(3))), 4, None, (), 1),
    "map, chunks of five": lambda: using(lambda p: runs(p.map(worker_of, range(12), 5)), 2, None, (), 1),
    "map, an error": lambda: using(lambda p: outcome(lambda: p.map(fail_on_three, range(6), 1)), 2),
    "map, the first error that came": lambda: using(lambda p: outcome(lambda: p.map(fail_late_or_early, range(6), 1)), 2),
    "map goes on after an error": lambda: using(lambda p: [outcome(lambda: p.map(fail_on_three, [3])), p.map(square, [2])], 1),
    "starmap": lambda: using(lambda p: p.starmap(add, [(1, 2), (3, 4)]), 2),
    "starmap, asynchronous": lambda: using(lambda p: p.starmap_async(add, [(1, 2), (3, 4)], 1).get(), 2),
    "apply": lambda: using(lambda p: p.apply(add, (1, 2)), 1),
    "apply without arguments": lambda: using(lambda p: p.apply(plus_base, (1,)), 1, set_base, (4,)),
    "apply, an error": lambda: using(lambda p: outcome(lambda: p.apply(fail_on_three, (3,))), 1),
    "an initializer sets what functions find": lambda: using(lambda p: p.map(plus_base, range(6), 1), 3, set_base, (100,)),
    "maxtasksperchild counts chunks": lambda: using(lambda p: runs(p.map(worker_of, range(10), 2)), 1, None, (), 2),
    "imap": lambda: using(lambda p: list(p.imap(square, range(20))), 3),
    "imap in chunks": lambda: using(lambda p: runs(list(p.imap(worker_of, range(7), 3))), 1, None, (), 1),
    "imap goes on behind an error": lambda: using(lambda p: read_on(p.imap(fail_on_three, range(6))), 2),
    "imap keeps the order": lambda: using(lambda p: list(p.imap(slow_first, range(4))), 2),
    "imapUnordered gives what comes first": lambda: using(lambda p: list(p.imap_unordered(slow_first, range(4)))[-1], 2),
    "imapUnordered gives all": lambda: using(lambda p: sorted(p.imap_unordered(square, range(20), 4)), 3),
    "callbacks": callbacks,
    "states": states,
    "after close": after_close,
    "close behind imap": close_behind_imap,
    "join while running": join_running,
    "timeouts": timeouts,
    "no processes": lambda: outcome(lambda: Pool(0)),
    "a useless maxtasksperchild": lambda: outcome(lambda: Pool(1, None, (), 0)),
    "an initializer that is none": lambda: outcome(lambda: Pool(1, 3)),
    "a chunk size of nothing": lambda: using(lambda p: outcome(lambda: p.imap(square, [1], 0))["error"], 1),
}

if __name__ == "__main__":
    print(json.dumps({name: body() for name, body in scenarios.items()}))
