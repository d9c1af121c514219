/**
 * Resources as the runtime counts them: integers of 1/10,000 under a name, sorted by name, zeros left out. So sums are
 * exact, and a lease gives back precisely what it took. `memory` is counted in MiB (a unit is about 105 bytes), which
 * keeps a machine of 800 TiB below 2^53.
 */
import type { ResourceUnits } from '../protocol/messages.ts'

/** Units in one whole CPU, GPU, MiB or custom resource. */
export const unitsPerOne: number = 10_000

export const cpuName: string = 'CPU'
export const gpuName: string = 'GPU'
export const memoryName: string = 'memory'

/** What a task asks for, or what a node has. */
export interface ResourceOptions {
  /** Logical CPUs, fractional to 0.0001. */
  readonly numCpus?: number | undefined
  /** Logical GPUs, fractional to 0.0001. */
  readonly numGpus?: number | undefined
  /** Bytes, or a text with a binary or decimal suffix: `'512MiB'`, `'2GiB'`, `'1.5GB'`. */
  readonly memory?: number | string | undefined
  /** Resources of your own by name, fractional to 0.0001. */
  readonly resources?: Readonly<Record<string, number>> | undefined
}

const mebibyte = 1024 * 1024
const byteSuffixes: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: mebibyte,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
}
const ownOption: Readonly<Record<string, string>> = { cpu: 'numCpus', gpu: 'numGpus', memory: 'memory' }

/** Bytes of `'2GiB'`, `'500 MB'` or a plain number. Throws TypeError or RangeError that names the option and the value. */
export function parseMemory(value: number | string, name: string = 'memory'): number {
  let bytes = typeof value === 'number' ? value : Number.NaN
  if (typeof value === 'string') {
    const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(value)
    const factor = match === null ? undefined : byteSuffixes[(match[2] ?? '').toLowerCase()]
    if (match === null || factor === undefined)
      throw new TypeError(
        `${name}: ${JSON.stringify(value)} is not a size; write bytes or a text like '512MiB' or '2GiB'`,
      )
    bytes = Number(match[1]) * factor
  }
  if (typeof bytes !== 'number' || !Number.isFinite(bytes) || bytes < 0)
    throw new RangeError(`${name}: ${String(value)} is not a size in bytes; it must be finite and not negative`)
  return bytes
}

/**
 * Compiles options into units. Throws TypeError or RangeError that names the option, where an amount is no number, is
 * negative, or is positive and below 0.0001.
 */
export function parseResources(options: ResourceOptions): ResourceUnits {
  const units = new Map<string, number>()
  addAmount(units, cpuName, 'numCpus', options.numCpus)
  addAmount(units, gpuName, 'numGpus', options.numGpus)
  if (options.memory !== undefined) {
    const memory = Math.ceil((parseMemory(options.memory) / mebibyte) * unitsPerOne)
    if (memory > Number.MAX_SAFE_INTEGER) throw new RangeError(`memory: ${String(options.memory)} is too much to count`)
    if (memory > 0) units.set(memoryName, memory)
  }
  const resources = options.resources ?? {}
  if (typeof resources !== 'object' || Array.isArray(resources))
    throw new TypeError('resources: an object of amounts by name is needed, such as { scanner: 1 }')
  for (const [name, amount] of Object.entries(resources)) {
    const own = ownOption[name.toLowerCase()]
    if (own !== undefined) throw new TypeError(`resources.${name}: ask for it by the option ${own}`)
    if (name === '') throw new TypeError('resources: a resource needs a name')
    addAmount(units, name, `resources.${name}`, amount)
  }
  return sorted(units)
}

function addAmount(units: Map<string, number>, name: string, option: string, amount: number | undefined): void {
  if (amount === undefined) return
  if (typeof amount !== 'number' || Number.isNaN(amount))
    throw new TypeError(
      `${option}: ${typeof amount === 'string' ? JSON.stringify(amount) : String(amount)} is not a number`,
    )
  const counted = Math.round(amount * unitsPerOne)
  if (amount < 0 || !Number.isSafeInteger(counted))
    throw new RangeError(`${option}: ${amount} must be finite and not negative`)
  if (amount > 0 && counted === 0)
    throw new RangeError(`${option}: ${amount} is below 0.0001, the smallest amount that is counted`)
  if (counted > 0) units.set(name, counted)
}

function sorted(units: ReadonlyMap<string, number>): ResourceUnits {
  return [...units].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** How many units of `name` there are, 0 when it is not listed. */
export function unitsOf(resources: ResourceUnits, name: string): number {
  for (const [key, units] of resources) if (key === name) return units
  return 0
}

/** Whether `asked` is there in full. */
export function fits(available: ResourceUnits, asked: ResourceUnits): boolean {
  return asked.every(([name, units]) => units <= unitsOf(available, name))
}

/** One text for equal resources, whatever made them. */
export function resourceKey(resources: ResourceUnits): string {
  return resources.map(([name, units]) => `${name}=${units}`).join(',')
}

/** For messages: `CPU: 0.5, memory: 2 GiB, unicorn: 1`; `nothing` when empty. */
export function formatResources(resources: ResourceUnits): string {
  if (resources.length === 0) return 'nothing'
  return resources.map(([name, units]) => `${name}: ${formatAmount(name, units)}`).join(', ')
}

/** How a node comes to offer so much: by the command line of `outpool start`, and by the options of `init`. */
export function adviceOn(resources: ResourceUnits): { readonly flags: string; readonly options: string } {
  const own: Record<string, number> = {}
  const flags: string[] = []
  const options: string[] = []
  for (const [name, units] of resources) {
    const amount = units / unitsPerOne
    if (name === memoryName) {
      const bytes = Math.ceil(amount * mebibyte)
      flags.push(`--memory ${bytes}`)
      options.push(`memory: ${bytes}`)
    } else if (name === cpuName || name === gpuName) {
      flags.push(`--num-${name === cpuName ? 'cpus' : 'gpus'} ${amount}`)
      options.push(`${name === cpuName ? 'numCpus' : 'numGpus'}: ${amount}`)
    } else own[name] = amount
  }
  if (Object.keys(own).length > 0) {
    flags.push(`--resources '${JSON.stringify(own)}'`)
    options.push(`resources: ${JSON.stringify(own)}`)
  }
  return { flags: flags.join(' '), options: `{ ${options.join(', ')} }` }
}

function formatAmount(name: string, units: number): string {
  const amount = units / unitsPerOne
  if (name !== memoryName) return trimmed(amount, 4)
  return Math.abs(amount) >= 1024 ? `${trimmed(amount / 1024, 2)} GiB` : `${trimmed(amount, 2)} MiB`
}

function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)))
}
