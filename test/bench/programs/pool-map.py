"""Python's multiprocessing.Pool.map, answering the lines that serve.mjs answers."""

import json
import os
import sys
import time
from multiprocessing import Pool


def square(x):
    return x * x


def mapped(pool, numbers):
    start = time.perf_counter()
    results = pool.map(square, numbers)
    seconds = time.perf_counter() - start
    assert len(results) == len(numbers) and results[-1] == numbers[-1] ** 2
    return len(numbers) / seconds


def main():
    config = json.loads(sys.argv[1])
    replies = os.fdopen(3, "w", buffering=1)
    numbers = list(range(config["items"]))
    with Pool(config["workers"]) as pool:
        mapped(pool, numbers)
        print(json.dumps({"ready": True}), file=replies)
        for line in sys.stdin:
            if json.loads(line)["operation"] == "close":
                break
            print(json.dumps({"value": mapped(pool, numbers)}), file=replies)


if __name__ == "__main__":
    main()
