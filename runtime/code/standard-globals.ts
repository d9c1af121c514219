/**
 * The names that mean the same in every worker, so that a shipped function may use them. An explicit list, not the keys
 * of this process's `globalThis`: a global that the program (or its test runner) has set here does not exist there.
 */

/** On `globalThis` of every supported Node. */
const everywhere: ReadonlySet<string> = new Set(
  `Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise RegExp
  Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError globalThis global JSON Math Intl
  ArrayBuffer SharedArrayBuffer Atomics DataView Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array
  Float32Array Float64Array Uint8ClampedArray BigUint64Array BigInt64Array Map BigInt Set WeakMap WeakSet Proxy Reflect
  FinalizationRegistry WeakRef decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape eval isFinite
  isNaN WebAssembly console process Buffer setTimeout clearTimeout setInterval clearInterval setImmediate clearImmediate
  queueMicrotask structuredClone atob btoa URL URLSearchParams DOMException AbortController AbortSignal Event EventTarget
  CustomEvent TextEncoder TextDecoder TextEncoderStream TextDecoderStream TransformStream
  TransformStreamDefaultController WritableStream WritableStreamDefaultController WritableStreamDefaultWriter
  ReadableStream ReadableStreamDefaultReader ReadableStreamBYOBReader ReadableStreamBYOBRequest
  ReadableByteStreamController ReadableStreamDefaultController ByteLengthQueuingStrategy CountQueuingStrategy
  CompressionStream DecompressionStream BroadcastChannel MessageChannel MessagePort MessageEvent Blob File Performance
  PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver PerformanceObserverEntryList
  PerformanceResourceTiming performance fetch FormData Headers Request Response crypto Crypto CryptoKey SubtleCrypto`
    .trim()
    .split(/\s+/),
)

/** Came with a later Node, by the major version that has it unasked. All processes of a cluster run one Node major. */
const since: ReadonlyMap<string, number> = new Map([
  ['navigator', 21],
  ['Navigator', 21],
  ['WebSocket', 22],
  ['Iterator', 22],
  ['CloseEvent', 23],
  ['URLPattern', 24],
  ['Float16Array', 24],
  ['SuppressedError', 24],
  ['DisposableStack', 24],
  ['AsyncDisposableStack', 24],
])

/** What a CommonJS module has and a shipped function has not, with what to do instead. */
const commonJs: ReadonlyMap<string, string> = new Map([
  [
    'require',
    "Use await import('node:fs') inside the function, or process.getBuiltinModule('node:fs') where it cannot await.",
  ],
  ['module', 'Return a value instead.'],
  ['exports', 'Return a value instead.'],
  ['__dirname', 'Pass the path as an argument.'],
  ['__filename', 'Pass the path as an argument.'],
])

const thisNodeMajor = Number.parseInt(process.versions.node, 10)

/** Whether `name` is a global of every worker of a cluster whose processes run Node `nodeMajor`. */
export function isStandardGlobal(name: string, nodeMajor: number = thisNodeMajor): boolean {
  return everywhere.has(name) || (since.get(name) ?? Infinity) <= nodeMajor
}

/** The remedy for a name that only CommonJS modules have; undefined for any other name. */
export function commonJsRemedy(name: string): string | undefined {
  return commonJs.get(name)
}

/** Every name of the list that this Node should have; for the test that compares it with a bare worker. */
export function standardGlobals(nodeMajor: number = thisNodeMajor): readonly string[] {
  return [...everywhere, ...[...since].filter(([, major]) => major <= nodeMajor).map(([name]) => name)]
}
