"""Dask distributed with one-thread workers, answering the lines that serve.mjs answers."""

import json
import os
import sys
import time

from dask.distributed import Client, LocalCluster


def noop(_):
    return None


def flight(client, calls):
    start = time.perf_counter()
    client.gather(client.map(noop, range(calls), pure=False))
    return calls / (time.perf_counter() - start)


def main():
    config = json.loads(sys.argv[1])
    replies = os.fdopen(3, "w", buffering=1)
    cluster = LocalCluster(n_workers=config["workers"], threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        flight(client, 100)
        print(json.dumps({"ready": True}), file=replies)
        for line in sys.stdin:
            message = json.loads(line)
            if message["operation"] == "close":
                break
            print(json.dumps({"value": flight(client, message["parameters"]["calls"])}), file=replies)


if __name__ == "__main__":
    main()
