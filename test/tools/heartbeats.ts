/** How nodes of tests are held for dead. */

/** No node is held for dead because of its silence, whatever else the machine does. */
export const neverMissed = { heartbeatIntervalMs: 1_000, heartbeatMisses: 60 } as const
/** For what happens when one is: soon for a test, and late for a machine with other things to do. */
export const missedSoon = { heartbeatIntervalMs: 500, heartbeatMisses: 6 } as const
