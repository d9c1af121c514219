/**
 * What a worker script registered, in the worker process. One table per process, whichever copy of the module (ESM or
 * CommonJS) was loaded: it hangs on a registered symbol.
 */
export type Method = (this: unknown, ...params: unknown[]) => unknown
export type AbortListener = () => PromiseLike<void> | void

export interface RegisterOptions {
  readonly onTerminate?: ((code: number | undefined) => PromiseLike<void> | void) | undefined
  readonly abortListenerTimeout?: number | undefined
}

export interface WorkerRegistry {
  readonly methods: Map<string, Method>
  onTerminate: RegisterOptions['onTerminate']
  abortListenerTimeoutMs: number
  abortListeners: AbortListener[]
  /** Called by the first `worker()`: the script is ready for calls. */
  registered: () => void
  travelling(value: unknown): unknown
  /** Tells the pool what the running task emits; undefined when it has no listener, or when no task runs. */
  tell: ((payload: unknown) => void) | undefined
  /** The original's class for results that name what they transfer; known when a script was loaded. */
  Transfer: (new (message: object, transfer: object[]) => object) | undefined
}

const registryKey = Symbol.for('outpool.workerpool.registry')
const holder = globalThis as { [registryKey]?: WorkerRegistry }

/** The table, in a process that hosts a worker of a pool; elsewhere there is none. */
export function workerRegistry(): WorkerRegistry | undefined {
  return holder[registryKey]
}

/** `travelling`: what becomes of a value on its way out. */
export function createWorkerRegistry(travelling: (value: unknown) => unknown): WorkerRegistry {
  const registry: WorkerRegistry = {
    methods: new Map(),
    onTerminate: undefined,
    abortListenerTimeoutMs: 1000,
    abortListeners: [],
    registered: () => undefined,
    tell: undefined,
    Transfer: undefined,
    travelling,
  }
  holder[registryKey] = registry
  return registry
}

/** `workerpool.worker(methods, options)` in a worker. */
export function registerMethods(
  registry: WorkerRegistry,
  methods: object | undefined,
  options: RegisterOptions | undefined,
): void {
  for (const [name, method] of Object.entries(methods ?? {})) addMethod(registry, name, method as Method)
  if (options !== undefined) {
    registry.onTerminate = options.onTerminate
    registry.abortListenerTimeoutMs = options.abortListenerTimeout ?? 1000
  }
  registry.registered()
}

/** Each method carries the worker's API, as `this.worker` finds it. */
export function addMethod(registry: WorkerRegistry, name: string, method: Method): void {
  registry.methods.set(name, Object.assign(method, { worker: publicWorker(registry) }))
}

export interface PublicWorker {
  emit(payload: unknown): void
  addAbortListener(listener: AbortListener): void
}

export function publicWorker(registry: WorkerRegistry): PublicWorker {
  return {
    emit: (payload) => emit(registry, payload),
    addAbortListener: (listener) => void registry.abortListeners.push(listener),
  }
}

/** `workerpool.workerEmit(payload)` in a worker. Outside of a task, and without a listener, it does nothing. */
export function emit(registry: WorkerRegistry, payload: unknown): void {
  registry.tell?.(outgoing(registry, payload))
}

/** Values travel as copies: of a Transfer its message. */
export function outgoing(registry: WorkerRegistry, value: unknown): unknown {
  const isTransfer = registry.Transfer !== undefined && value instanceof registry.Transfer
  return registry.travelling(isTransfer ? (value as { message?: unknown }).message : value)
}
