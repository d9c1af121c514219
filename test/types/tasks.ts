/** What the types of tasks, refs and options promise, and what they refuse. Compiled, never run. */
import { expectTypeOf } from 'expect-type'
import {
  cancel,
  context,
  drained,
  explain,
  get,
  init,
  type InitOptions,
  ObjectRef,
  type ObjectRefGenerator,
  put,
  remote,
  type RemoteFunction,
  shutdown,
  TaskError,
  type TaskOptions,
  type ValueGenerator,
  wait,
} from 'outpool'

const add = remote((a: number, b: number) => a + b)
const later = remote(async (text: string) => [text])
const optional = remote((a: number, b = 'x', ...rest: boolean[]) => [a, b, rest.length].join())
declare function load(path: string): Promise<Uint8Array>
const loaded = remote<typeof load>(new URL('file:///tasks.js'), 'load')
const unknown = remote('file:///tasks.js', 'anything')

export async function calls(): Promise<void> {
  expectTypeOf(add).toEqualTypeOf<RemoteFunction<[a: number, b: number], number>>()
  expectTypeOf(add.name).toEqualTypeOf<string>()
  expectTypeOf(add.remote(1, 2)).toEqualTypeOf<ObjectRef<number>>()
  expectTypeOf(add.run(1, 2)).toEqualTypeOf<Promise<number>>()
  // What a function promises is what its ref names.
  expectTypeOf(later.remote('a')).toEqualTypeOf<ObjectRef<string[]>>()
  expectTypeOf(later.run('a')).toEqualTypeOf<Promise<string[]>>()
  expectTypeOf(loaded.remote('a')).toEqualTypeOf<ObjectRef<Uint8Array>>()
  expectTypeOf(await unknown.run(1, 'a')).toEqualTypeOf<unknown>()
  expectTypeOf(add.remoteMany(1, 2)).toEqualTypeOf<ObjectRef[]>()
  optional.remote(1)
  optional.remote(1, 'y', true, false)

  // An argument is a value, or a ref of one.
  add.remote(add.remote(1, 2), 3)
  later.remote(await put('text'))
  later.remote(await put('text', { replicas: 2 }))
  optional.remote(add.remote(1, 2), later.remote('a').id)
  // @ts-expect-error a text is no number
  add.remote('1', 2)
  // @ts-expect-error the ref of a text is no ref of a number
  add.remote(await put('text'), 2)
  // @ts-expect-error an argument is missing
  add.remote(1)
  // @ts-expect-error there is one too many
  void add.run(1, 2, 3)
  // @ts-expect-error an export has to be named
  remote(new URL('file:///tasks.js'))
  // @ts-expect-error a number is no function
  remote(5)
}

function* numbers(to: number): Generator<number, string> {
  for (let i = 0; i < to; i++) yield i
  return 'end'
}
async function* lines(): AsyncGenerator<string> {
  yield 'a'
}
const counting = remote(numbers)
const loadedLines = remote<typeof lines>('file:///tasks.js', 'lines', { numReturns: 'streaming' })
// oxlint-disable-next-line typescript/no-explicit-any -- what is tested is that it stays one
declare function anything(): any
declare function nothing(): never
declare function rows(): number[]

export async function generators(): Promise<void> {
  expectTypeOf(counting.remote(3)).toEqualTypeOf<ObjectRefGenerator<number, string>>()
  expectTypeOf(counting.run(3)).toEqualTypeOf<ValueGenerator<number, string>>()
  for await (const ref of counting.remote(add.remote(1, 2))) expectTypeOf(ref).toEqualTypeOf<ObjectRef<number>>()
  for await (const value of counting.run(3)) expectTypeOf(value).toEqualTypeOf<number>()
  for await (const ref of loadedLines.remote()) expectTypeOf(await ref.get()).toEqualTypeOf<string>()
  const step = await counting.run(3).next()
  if (step.done === true) expectTypeOf(step.value).toEqualTypeOf<string>()
  else expectTypeOf(step.value).toEqualTypeOf<number>()
  const written = remote(function* () {
    yield Promise.resolve(1)
  })
  for await (const value of written.run()) expectTypeOf(value).toEqualTypeOf<number>()
  for await (const value of remote('file:///tasks.js', 'any', { numReturns: 'streaming' }).run(1, 'a'))
    expectTypeOf(value).toEqualTypeOf<unknown>()
  expectTypeOf(cancel(counting.remote(3))).toEqualTypeOf<boolean>()
  // An array is a value like any other, and so is what nobody knows.
  expectTypeOf(remote(rows).remote()).toEqualTypeOf<ObjectRef<number[]>>()
  expectTypeOf(remote(anything).remote()).toEqualTypeOf<ObjectRef<ReturnType<typeof anything>>>()
  expectTypeOf(remote(nothing).remote()).toEqualTypeOf<ObjectRef<never>>()
  // @ts-expect-error it takes a number
  counting.remote('3')
  // @ts-expect-error a generator is no value to wait for
  await get(counting.remote(3))
  // @ts-expect-error there is no such word
  remote(numbers, { numReturns: 'dynamic' })
}

export async function refs(): Promise<void> {
  const ref = add.remote(1, 2)
  expectTypeOf(ref.get()).toEqualTypeOf<Promise<number>>()
  expectTypeOf(ref.id).toEqualTypeOf<string>()
  // Not thenable: awaiting a ref is the ref.
  expectTypeOf<Awaited<typeof ref>>().toEqualTypeOf<ObjectRef<number>>()
  expectTypeOf(await put(new Map([['a', 1]]))).toEqualTypeOf<ObjectRef<Map<string, number>>>()
  expectTypeOf(await get(ref)).toEqualTypeOf<number>()
  // A tuple of refs is a tuple of values, a list a list.
  expectTypeOf(await get([ref, later.remote('a'), await put(true)])).toEqualTypeOf<[number, string[], boolean]>()
  expectTypeOf(await get([ref, ref].map((each) => each))).toEqualTypeOf<number[]>()
  const readonlyRefs: readonly ObjectRef<string>[] = []
  expectTypeOf(await get(readonlyRefs)).toEqualTypeOf<string[]>()
  expectTypeOf(await wait([ref, ref], { count: 2, timeout: 5 })).toEqualTypeOf<
    [ready: ObjectRef<number>[], rest: ObjectRef<number>[]]
  >()
  await ref.get({ timeout: 1, signal: new AbortController().signal })
  // @ts-expect-error a value is no ref
  await get([ref, 5])
  // @ts-expect-error there is no such option
  await get(ref, { timeoutMs: 5 })
  // @ts-expect-error a ref is not its value
  expectTypeOf<number>(ref)
  expectTypeOf(cancel(ref, { force: true, recursive: false })).toEqualTypeOf<boolean>()
  expectTypeOf(drained()).toEqualTypeOf<Promise<void>>()
}

export async function options(): Promise<void> {
  const all: TaskOptions = {
    ...{ numCpus: 0.5, numGpus: 1, memory: '2GiB', resources: { unicorn: 1 }, maxRetries: -1, retryExceptions: true },
    ...{ priority: 3, timeout: 1_000, signal: new AbortController().signal, name: 'sum', numReturns: 1 },
    schedulingStrategy: 'DEFAULT',
  }
  // Options change nothing of what goes in and comes out.
  expectTypeOf(add.options(all)).toEqualTypeOf<typeof add>()
  expectTypeOf(remote((n: number) => n, { numCpus: 2 })).toEqualTypeOf<RemoteFunction<[n: number], number>>()
  // @ts-expect-error a name that is not known
  add.options({ numCPUs: 1 })
  // @ts-expect-error a kind that is not meant
  add.options({ maxRetries: '3' })
  // @ts-expect-error a strategy that is not there yet
  add.options({ schedulingStrategy: 'SPREAD' })
  // @ts-expect-error a name that is not known
  await init({ cpus: 4 })
  const given: InitOptions = { numCpus: 4, resources: { a: 1 }, logToDriver: false, infeasibleTimeout: 5 }
  expectTypeOf((await init(given)).node).toEqualTypeOf<string>()
  expectTypeOf(shutdown()).toEqualTypeOf<Promise<void>>()
}

export function facts(): void {
  const { task, signal } = context()
  expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
  expectTypeOf(task?.attempt).toEqualTypeOf<number | undefined>()
  expectTypeOf(explain().tasksByNode).toEqualTypeOf<Readonly<Record<string, number>>>()
  expectTypeOf(explain(add).runs).toEqualTypeOf<'worker' | 'caller'>()
  expectTypeOf(explain(add.remote(1, 2)).state).toEqualTypeOf<'ready' | 'pending' | 'of another process'>()
  expectTypeOf(explain((n: number) => n).reasons).toEqualTypeOf<readonly string[]>()
  const error = new TaskError('text', { originalName: 'Mine' })
  expectTypeOf(error.code).toEqualTypeOf<string>()
  expectTypeOf(error).toExtend<Error>()
  // @ts-expect-error refs are made by calls
  new ObjectRef()
}
