/**
 * Every limit of the runtime, with its unit and why it is what it is. Nothing that comes from outside a process is
 * read without one of these.
 */

/** A message frame between authenticated peers. Bulk bytes travel in chunks, never in one frame. */
export const maxFrameBytes: number = 64 * 1024 * 1024
/** The first frame of a link (the hello), read before the peer has shown its token. */
export const maxHelloBytes: number = 4 * 1024
/** How long a peer may take to say its hello, in milliseconds. */
export const helloTimeoutMs: number = 5_000
/** Connections that have not authenticated yet, per listener. */
export const maxUnauthenticated: number = 256
/** A frame is closed and written at this many messages or bytes, whichever comes first. */
export const frameMessages: number = 256
export const frameBytes: number = 64 * 1024
/** Bytes buffered towards one peer above which producers are asked to wait. */
export const linkHighWaterBytes: number = 4 * 1024 * 1024
/**
 * A link to another machine by which nothing went for this long carries something that says nothing: proxies on the way
 * end connections that are idle, after 20 seconds or more.
 */
export const linkQuietMs: number = 7_500
/** One chunk of an object in transfer. */
export const chunkBytes: number = 1024 * 1024
/** Results and arguments up to this many bytes travel inline; larger ones go into the store. */
export const inlineBytes: number = 100 * 1024
/**
 * Inline values of one call, or of its results, together: above it all of at least `leastStoredBytes` go into the store. With
 * the most values that a call has, that is still less than a frame.
 */
export const inlineTotalBytes: number = 16 * 1024 * 1024
export const leastStoredBytes: number = 512
/** What a task threw, with all that hangs on it; of more than this, the beginning of its message travels. */
export const maxErrorBytes: number = 16 * 1024 * 1024
/**
 * Sequences that one lease has under way, those that were taken back or answered out of turn among them. Owner, claim page
 * and worker must agree: with more of them than the page has words, two would share one, and a task that was taken back
 * could start. The worker tells how far it has come often enough (of each quarter) for the window to move on in time.
 */
export const leaseWindow: number = 1024
/** Tasks and argument bytes that a driver holds for submission before `.remote()` throws BackPressureError. */
export const maxQueuedTasks: number = 2_000_000
export const maxPendingArgumentBytes: number = 512 * 1024 * 1024
/** Specs of finished tasks that a process keeps, so that large results which are lost can be made again. */
export const maxLineageBytes: number = 256 * 1024 * 1024
/** What a frame of the bulk channel may hold beside its chunk. */
export const bulkHeaderBytes: number = 4 * 1024
/**
 * How long a dial may take, handshake included, in milliseconds. Drivers and workers may compute for longer: what answers
 * for them is that the connection stands (owner/dial-process.ts).
 */
export const dialTimeoutMs: number = 10_000
/** How long the port of another node may take before another way to it is tried as well, in milliseconds. */
export const directDialTimeoutMs: number = 3_000
/** How long a node whose port did not answer is reached by other ways, in milliseconds. */
export const unreachableMs: number = 60_000
/** How long a peer may take to end its side of a connection that was ended here, in milliseconds. */
export const lingerMs: number = 2_000
/** How long it may take to read the last bytes of a connection that is over, in milliseconds. */
export const lastBytesMs: number = 30_000
/** Messages kept for a link whose user has not set `onMessage` yet; above it, reading pauses. */
export const linkBacklogMessages: number = 4_096
/** Nodes that may relay one connection. */
export const maxRelayHops: number = 2
/**
 * Items that a remote generator makes ahead of its consumer, at first and where he waits for it, and their bytes; it pauses
 * at the first of the two.
 */
export const generatorItems: number = 64
export const mostGeneratorItems: number = 1024
export const generatorBytes: number = 64 * 1024 * 1024
