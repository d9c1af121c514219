const majorOfNode = Number.parseInt(process.versions.node, 10)

/**
 * What V8 is told in a worker, beside what its program says; tasks do not see it. A node has about as many workers as
 * CPUs: threads that help one of them to collect garbage take the CPU from another. Each large argument makes V8 collect
 * (it counts what is mapped), which costs half as much without them. One thread compiles: four of them take a start two
 * milliseconds, and a worker 0.2 MB. Room for 2 MB of new objects, instead of 1: with less, a worker collects twice
 * before its first task. Older releases lose more by it.
 */
export const workerOptions: readonly string[] = [
  '--single-threaded-gc',
  '--v8-pool-size=1',
  ...(majorOfNode >= 24 ? ['--min-semi-space-size=2'] : []),
]
