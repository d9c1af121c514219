"""Plays the scenarios of suite.ts on Python's own concurrent.futures, and prints what came out as JSON."""
import json
import logging
import os
import time
from concurrent import futures
from concurrent.futures import ProcessPoolExecutor, as_completed, wait

logging.disable(logging.CRITICAL)


class Error(Exception):
    """What JavaScript calls it."""


def add(a, b):
    return a + b


def square(x):
    return x * x


def nothing():
    return None


def fail_on_three(x):
    if x == 3:
        raise Error("three")
    return x


def worker_of(_):
    return os.getpid()


def sleep(seconds, value="slept"):
    time.sleep(seconds)
    return value


def sleep_and_fail(seconds):
    time.sleep(seconds)
    raise Error("late")


def leave():
    os._exit(3)


base = 0


def set_base(value):
    global base
    base = value


def plus_base(x):
    return x + base


def no_state():
    raise Error("no state today")


def runs(values):
    """How many neighbours came from the same worker."""
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
    except futures.TimeoutError:
        return {"error": "TimeoutError"}
    except futures.CancelledError:
        return {"error": "CancelledError"}
    except futures.BrokenExecutor as error:
        return {"error": type(error).__name__}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}


def using(body, *args, **options):
    with ProcessPoolExecutor(*args, **options) as executor:
        return body(executor)


def read_on(iterator):
    seen = []
    while True:
        try:
            seen.append(next(iterator))
        except StopIteration:
            return seen
        except Exception as error:
            seen.append("error: " + str(error))


def until(condition):
    while not condition():
        time.sleep(0.005)


def flags(future):
    return [future.running(), future.done(), future.cancelled()]


def states(executor):
    running = executor.submit(sleep, 0.4)
    others = [executor.submit(sleep, 0.01) for _ in range(4)]
    last = others[-1]
    pending = flags(last)
    cancelled = [last.cancel(), last.cancel()]
    until(running.running)
    taken = [running.cancel(), flags(running)]
    running.result()
    return [pending, cancelled, flags(last), taken, flags(running), running.cancel(), outcome(last.result), outcome(last.exception)]


def callbacks(executor):
    seen = []

    def throws(_):
        raise Error("of no importance")

    future = executor.submit(sleep, 0.1, 7)
    future.add_done_callback(lambda f: seen.append(["first", f.done()]))
    future.add_done_callback(throws)
    future.add_done_callback(lambda f: seen.append(["second", f is future]))
    future.result()
    until(lambda: len(seen) == 2)
    future.add_done_callback(lambda f: seen.append(["at once", f.done()]))
    return seen


def callback_of_cancelled(executor):
    seen = []
    blocker = executor.submit(sleep, 0.3)
    pending = [executor.submit(nothing) for _ in range(4)][-1]
    pending.add_done_callback(lambda f: seen.append(f.cancelled()))
    pending.cancel()
    seen.append("after")
    blocker.result()
    return seen


def timeouts(executor):
    future = executor.submit(sleep, 0.5)
    late = [outcome(lambda: future.result(0.05)), outcome(lambda: future.exception(0.05))]
    return late + [future.result(), future.exception(), future.result(0)]


def map_left_early(executor):
    """A loop that is left cancels what has not started."""
    results = executor.map(sleep, [0.1] * 8, range(8))
    first = next(results)
    del results
    return first


def done_of(result):
    return [len(result.done), len(result.not_done)]


def warm(executor, workers):
    list(executor.map(sleep, [0.1] * workers))


def first_completed(executor):
    warm(executor, 2)
    pending = [executor.submit(sleep, 0.02), executor.submit(sleep, 1)]
    return done_of(wait(pending, return_when=futures.FIRST_COMPLETED))


def first_exception(executor):
    warm(executor, 2)
    pending = [executor.submit(sleep, 1), executor.submit(sleep, 0.02), executor.submit(sleep_and_fail, 0.05)]
    return done_of(wait(pending, return_when=futures.FIRST_EXCEPTION))


def cancelled_is_no_exception(executor):
    pending = [executor.submit(sleep, 0.2) for _ in range(5)]
    pending[-1].cancel()
    return done_of(wait(pending, return_when=futures.FIRST_EXCEPTION))


def in_order_of_completion(executor):
    warm(executor, 2)
    slow = executor.submit(sleep, 0.5, "slow")
    quick = executor.submit(sleep, 0.01, "quick")
    return [future.result() for future in as_completed([slow, quick, slow])]


def as_completed_timeout(executor):
    pending = [executor.submit(sleep, 0.6), executor.submit(sleep, 0.6)]
    try:
        list(as_completed(pending, timeout=0.05))
    except futures.TimeoutError as error:
        return str(error)


def after_shutdown():
    executor = ProcessPoolExecutor(1)
    given = [executor.submit(sleep, 0.05, n) for n in range(3)]
    executor.shutdown(wait=False)
    refused = outcome(lambda: executor.submit(nothing))
    values = [future.result() for future in given]
    executor.shutdown()
    return [refused, values]


def shutdown_waits():
    executor = ProcessPoolExecutor(1)
    given = [executor.submit(sleep, 0.05) for _ in range(3)]
    executor.shutdown()
    return [future.done() for future in given]


def shutdown_cancels():
    executor = ProcessPoolExecutor(1)
    first = executor.submit(sleep, 0.3)
    others = [executor.submit(nothing) for _ in range(6)]
    until(first.running)
    executor.shutdown(cancel_futures=True)
    return [first.cancelled(), first.result(), others[-1].cancelled()]


def broken_initializer():
    with ProcessPoolExecutor(1, initializer=no_state) as executor:
        future = executor.submit(nothing)
        return [outcome(future.result), outcome(lambda: executor.submit(nothing))]


def crash():
    with ProcessPoolExecutor(1) as executor:
        return outcome(executor.submit(leave).result)


scenarios = {
    "submit": lambda: using(lambda e: e.submit(add, 1, 2).result(), 2),
    "submit, nothing comes back": lambda: using(lambda e: e.submit(nothing).result(), 1),
    "submit, an error": lambda: using(lambda e: outcome(e.submit(fail_on_three, 3).result), 1),
    "exception": lambda: using(lambda e: [str(e.submit(fail_on_three, 3).exception()), e.submit(add, 1, 2).exception()], 1),
    "a worker goes on after an error": lambda: using(lambda e: [outcome(e.submit(fail_on_three, 3).result), e.submit(square, 3).result()], 1),
    "states": lambda: using(states, 1),
    "callbacks": lambda: using(callbacks, 1),
    "callback of a cancelled future": lambda: using(callback_of_cancelled, 1),
    "timeouts": lambda: using(timeouts, 1),
    "map": lambda: using(lambda e: list(e.map(square, range(10))), 3),
    "map of nothing": lambda: using(lambda e: list(e.map(square, [])), 1),
    "map of two, up to the shorter": lambda: using(lambda e: list(e.map(add, [1, 2, 3], [10, 20])), 2),
    "map of a generator": lambda: using(lambda e: list(e.map(square, (n for n in range(4)))), 2),
    "map in chunks": lambda: using(lambda e: runs(list(e.map(worker_of, range(7), chunksize=3))), 1, max_tasks_per_child=1, mp_context=__import__("multiprocessing").get_context("spawn")),
    "map ends at an error": lambda: using(lambda e: read_on(e.map(fail_on_three, range(6))), 2),
    "map in chunks fails by the chunk": lambda: using(lambda e: read_on(e.map(fail_on_three, range(6), chunksize=2)), 2),
    "map, late": lambda: using(lambda e: outcome(lambda: list(e.map(sleep, [0.6], timeout=0.05))), 1),
    "map, left early": lambda: using(map_left_early, 1),
    "map, a chunk size of nothing": lambda: using(lambda e: outcome(lambda: e.map(square, [1], chunksize=0)), 1),
    "wait for all": lambda: using(lambda e: done_of(wait([e.submit(square, n) for n in range(5)])), 2),
    "wait for nothing": lambda: using(lambda e: done_of(wait([])), 1),
    "wait for the first": lambda: using(first_completed, 2),
    "wait for the first exception": lambda: using(first_exception, 3),
    "wait: a cancelled future is no exception": lambda: using(cancelled_is_no_exception, 1),
    "wait, for some time": lambda: using(lambda e: done_of(wait([e.submit(sleep, 0.5)], timeout=0.05)), 1),
    "wait, a condition that does not exist": lambda: using(lambda e: outcome(lambda: wait([e.submit(sleep, 0.5)], return_when="SOON"))["error"], 1),
    "asCompleted gives what is done first": lambda: using(in_order_of_completion, 2),
    "asCompleted, late": lambda: using(as_completed_timeout, 2),
    "after shutdown": after_shutdown,
    "shutdown waits": shutdown_waits,
    "shutdown cancels what waits": shutdown_cancels,
    "an initializer sets what functions find": lambda: using(lambda e: list(e.map(plus_base, range(6))), 3, initializer=set_base, initargs=(100,)),
    "an initializer that raises": broken_initializer,
    "an initializer that is none": lambda: outcome(lambda: ProcessPoolExecutor(1, initializer=3)),
    "a worker that ends": crash,
    "no workers": lambda: outcome(lambda: ProcessPoolExecutor(0)),
    "a useless maxTasksPerChild": lambda: [outcome(lambda: ProcessPoolExecutor(1, max_tasks_per_child=0)), outcome(lambda: ProcessPoolExecutor(1, max_tasks_per_child="1"))],
}

if __name__ == "__main__":
    print(json.dumps({name: body() for name, body in scenarios.items()}))
