/**
 * What goes along with a function so that any node can run it: its module, packed where nodes may not have it, and the
 * environment that its worker is to have. Packing is slow and calls are synchronous, so a definition names an object that
 * comes to be behind it.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { OutpoolError, RuntimeEnvSetupError } from '../runtime/base/errors.ts'
import { withPack, type FunctionDefinition } from '../runtime/code/function-source.ts'
import { environmentWord, isRef, parseEnvironment, type Environment } from '../runtime/code/modules/environment.ts'
import type { PackedManifest, PackOptions } from '../runtime/code/modules/manifest.ts'
import { isTypeScript } from '../runtime/code/modules/module-format.ts'
import type { Packed } from '../runtime/code/modules/pack.ts'
import { childOptions } from '../runtime/node/child-settings.ts'
import { currentRuntime, type ProcessRuntime } from '../runtime/owner/current.ts'
import type { RefTuple } from '../runtime/protocol/messages.ts'
import { compileRuntimeEnv, noRuntimeEnv, type CompiledRuntimeEnv, type RuntimeEnv } from './runtime-env.ts'
import { workerPreload, type WorkerPreload } from './worker-preloads.ts'

export interface Carried {
  readonly definition: FunctionDefinition
  /** Part of the scheduling class: workers of one environment serve no other. */
  readonly environment: string
}

const carriers = new WeakMap<ProcessRuntime, Carrier>()

/**
 * What `definition` is called with in this cluster; `env` as the option was given. One that came as a value names how its
 * module is made; `folder` then is the working folder that it asks for.
 */
export function carry(
  runtime: ProcessRuntime,
  definition: FunctionDefinition,
  env: RuntimeEnv | undefined,
  folder?: RefTuple,
): Carried {
  return carrierOf(runtime).carry(definition, env, folder)
}

/** What goes along with a function that leaves this process as a value: where it arrives its files may not be. */
export interface Along {
  /** How its module is made. */
  readonly pack?: RefTuple
  /** How the working folder that it asks for is made. */
  readonly folder?: RefTuple
}

/** By the definitions of such functions: captured, they leave with each call. */
const alongs = new WeakMap<
  FunctionDefinition,
  { readonly runtime: ProcessRuntime; readonly env: RuntimeEnv | undefined; readonly along: Along | undefined }
>()

/** Undefined for nothing, as in local mode, or before `init`. */
export function goingAlong(definition: FunctionDefinition, env?: RuntimeEnv, came?: RefTuple): Along | undefined {
  const runtime = currentRuntime()
  if (runtime === undefined) return undefined
  let known = alongs.get(definition)
  if (known?.runtime !== runtime || known.env !== env)
    alongs.set(definition, (known = { runtime, env, along: alongOf(carry(runtime, definition, env, came), env) }))
  return known.along
}

function alongOf({ definition: { source }, environment }: Carried, env: RuntimeEnv | undefined): Along | undefined {
  const pack = source.kind === 'module' ? source.pack : undefined
  const folder = env?.workingDir === undefined ? undefined : parseEnvironment(environment).workingDir
  return pack === undefined && folder === undefined ? undefined : { ...(pack && { pack }), ...(folder && { folder }) }
}

/** What `goingAlong` gave, where the function arrives. */
export function cameAlong(value: unknown): Along {
  const { pack, folder } = (value ?? {}) as Record<keyof Along, unknown>
  return { ...(isRef(pack) && { pack }), ...(isRef(folder) && { folder }) }
}

/** The object that says how a module is made where it is not; undefined where nodes have the module of that URL. */
export function packOf(runtime: ProcessRuntime, url: string, env: RuntimeEnv | undefined): RefTuple | undefined {
  return carrierOf(runtime).packOf(url, env)
}

/** The environment of a worker that is to have `env`. */
export function environmentOf(runtime: ProcessRuntime, env: RuntimeEnv | undefined): string {
  return carrierOf(runtime).environment(env)
}

/** What holds for every task of this process that says nothing else. */
export function setDefaultRuntimeEnv(runtime: ProcessRuntime, env: CompiledRuntimeEnv): void {
  carriers.set(runtime, new Carrier(runtime, env))
}

/** A task's own tasks have its environment, unless they say otherwise. */
function carrierOf(runtime: ProcessRuntime): Carrier {
  let carrier = carriers.get(runtime)
  if (carrier === undefined) {
    const { env, workingDir, preloads } = parseEnvironment(runtime.environment)
    carrier = new Carrier(runtime, { ...noRuntimeEnv, env }, { workingDir, preloads })
    carriers.set(runtime, carrier)
  }
  return carrier
}

/** Loaded when the first module or folder is packed. */
const packing = (): Promise<typeof import('../runtime/code/modules/pack.ts')> =>
  import('../runtime/code/modules/pack.ts')

type Inherited = Pick<Environment, 'workingDir' | 'preloads'>
const nothingInherited: Inherited = { workingDir: undefined, preloads: [] }

class Carrier {
  readonly #runtime: ProcessRuntime
  readonly #base: CompiledRuntimeEnv
  /** What the task that this process runs has. */
  readonly #inherited: Inherited
  readonly #preload: WorkerPreload | undefined
  #baseWord: string | undefined
  readonly #packs = new Map<string, RefTuple>()
  readonly #archives = new Map<string, RefTuple>()

  constructor(runtime: ProcessRuntime, base: CompiledRuntimeEnv, inherited: Inherited = nothingInherited) {
    this.#runtime = runtime
    this.#inherited = inherited
    const preload = workerPreload(runtime.local)
    this.#preload = preload
    this.#base =
      preload === undefined
        ? base
        : { pack: { ...base.pack, apart: preload.apart }, env: { ...preload.env, ...base.env } }
  }

  environment(given: RuntimeEnv | undefined, came?: RefTuple): string {
    const folder = given?.workingDir !== undefined && this.#isOfJob(came) ? came : undefined
    if (given !== undefined || this.#base.pack.workingDir !== undefined)
      return this.#wordOf(this.#compiled(given), folder)
    return (this.#baseWord ??= this.#wordOf(this.#base))
  }

  #wordOf({ pack, env }: CompiledRuntimeEnv, came?: RefTuple): string {
    const folder = came ?? this.#folderOf(pack)
    const preloads = this.#preload === undefined ? this.#inherited.preloads : [this.#preload.module]
    return environmentWord({ env, workingDir: folder, preloads })
  }

  #folderOf(pack: PackOptions): RefTuple | undefined {
    const { workingDir } = pack
    return workingDir === undefined
      ? this.#inherited.workingDir
      : this.#pack(`folder ${JSON.stringify(pack)}`, async () => (await packing()).packFolder(workingDir, pack))
  }

  carry(definition: FunctionDefinition, given: RuntimeEnv | undefined, folder?: RefTuple): Carried {
    const environment = this.environment(given, folder)
    const { source } = definition
    if (source.kind !== 'module') return { definition, environment }
    const pack = this.packOf(source.url, given, source.pack)
    return { definition: pack === source.pack ? definition : withPack(definition, pack), environment }
  }

  packOf(url: string, given: RuntimeEnv | undefined, came?: RefTuple): RefTuple | undefined {
    if (!url.startsWith('file:')) return undefined
    const file = fileURLToPath(url)
    const { pack } = this.#compiled(given)
    const key = `module ${file} ${JSON.stringify(pack)}`
    const isHere = this.#packs.has(key) || existsSync(file)
    const known = this.#isAsUsual(pack) || !isHere ? this.#knownPack(url, came) : undefined
    if (known !== undefined || this.#isSeen(file, pack)) return known
    return isHere ? this.#pack(key, async () => (await packing()).packModule(file, pack)) : came
  }

  /** What was packed already, by the program or for the task that names it: it is of the version that runs. */
  #knownPack(url: string, came: RefTuple | undefined): RefTuple | undefined {
    if (this.#isOfJob(came)) return came
    const known = this.#runtime.packOf(url)
    return known?.kind === 'part' ? this.#object(`part ${url}`, async () => known.packed) : known?.ref
  }

  /** In local mode the workers see the same files, and read TypeScript as this process does. */
  #isSeen(file: string, { workingDir }: PackOptions): boolean {
    return this.#runtime.local && workingDir === undefined && (!isTypeScript(file) || workersReadTypeScript())
  }

  /** Objects of the program are there as long as there is anything to do for it. */
  #isOfJob(ref: RefTuple | undefined): boolean {
    return ref?.[0] === this.#runtime.job
  }

  #isAsUsual(pack: PackOptions): boolean {
    return pack === this.#base.pack || JSON.stringify(pack) === JSON.stringify(this.#base.pack)
  }

  #compiled(given: RuntimeEnv | undefined): CompiledRuntimeEnv {
    return given === undefined ? this.#base : compileRuntimeEnv(given, 'runtimeEnv', this.#base)
  }

  #pack(key: string, make: () => Promise<Packed>): RefTuple {
    return this.#object(key, () => this.#packNow(make))
  }

  /** The object that says how it is made; the same for the same thing. */
  #object(key: string, make: () => Promise<PackedManifest>): RefTuple {
    let ref = this.#packs.get(key)
    if (ref === undefined) {
      const making = make()
      ref = this.#runtime.owner.values.forLife(making)
      this.#packs.set(key, ref)
      // What did not work may have been put right by the next time.
      making.catch(() => this.#packs.delete(key))
    }
    return ref
  }

  async #packNow(make: () => Promise<Packed>): Promise<PackedManifest> {
    const { owner } = this.#runtime
    const [{ manifest, archives }] = await Promise.all([packed(make), owner.host.home.connected()])
    const refs: Record<string, RefTuple> = {}
    for (const [id, bytes] of archives) {
      let ref = this.#archives.get(id)
      // Its own memory: a Buffer may be a piece of a larger one.
      if (ref === undefined)
        this.#archives.set(id, (ref = owner.values.forLife(Promise.resolve(new Uint8Array(bytes)))))
      refs[id] = ref
    }
    return { manifest, archives: refs }
  }
}

/** What cannot be read, or what a tool says, is a matter of the environment too. */
async function packed(make: () => Promise<Packed>): Promise<Packed> {
  try {
    return await make()
  } catch (cause) {
    if (cause instanceof OutpoolError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new RuntimeEnvSetupError(`a module could not be packed for the nodes: ${reason}`, { cause })
  }
}

/** What names a loader of TypeScript among the options of Node. Behind any other, a bundle is what is sure to run. */
const loaders = /\b(?:tsx|ts-node|swc|esbuild\w*|sucrase|jiti|babel|typescript|strip-types|transform-types)\b/

/** By Node itself, or by a loader that they inherit. */
function workersReadTypeScript(): boolean {
  const { typescript } = process.features as { typescript?: unknown }
  if (typeof typescript === 'string') return true
  return loaders.test(childOptions().join(' '))
}
