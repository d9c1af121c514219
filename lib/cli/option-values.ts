/** Values of options as they are typed, checked. Each throws InvalidArgumentError, which becomes exit code 2. */
import { isIPv6 } from 'node:net'
import { InvalidArgumentError, Option } from 'commander'
import { parseClusterAddress } from '../../runtime/cluster/node-address.ts'
import { parseResources } from '../../runtime/scheduler/resources.ts'
import { CommandError, exitCodes } from './exit-codes.ts'

export function port(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.')
  return value
}

/**
 * Of a node: checked here, resolved where it is asked. Throws CommandError: what commander says of another error repeats
 * the whole text, and a password with it.
 */
export function address(text: string): string {
  try {
    parseClusterAddress(text)
  } catch (error) {
    throw new CommandError(`--address: ${(error as Error).message}`, exitCodes.usage)
  }
  return text
}

/** An id, a name or a path: with a variable that is not set, `--node "$NODE"` would mean any node. */
export function something(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It is empty.')
  return text
}

/** Which cluster a command is about. */
export function clusterOption(cluster = 'it'): Option {
  const help = `any node of ${cluster} (default: OUTPOOL_ADDRESS, else the head that runs on this machine)`
  return new Option('--address <url>', help).argParser(address)
}

/** IPv6 addresses may be written as in addresses of nodes: [::1]. Throws CommandError, as `address` does. */
export function host(text: string): string {
  const name = /^\[(.*:.*)\]$/.exec(text)?.[1] ?? text
  if (isIPv6(name) || /^[\p{L}\p{N}._-]+$/u.test(name)) return name
  const what = 'is a name or an address alone, such as head.example or 10.0.0.7; its port is that of --port'
  throw new CommandError(`what --host and --advertise say ${what}`, exitCodes.usage)
}

export function names(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

export function cpus(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('It is a number that is not negative, such as 4 or 0.5.')
  return value
}

/** Checked here, counted by the node. */
export function memory(text: string): string {
  checked(() => parseResources({ memory: text }))
  return text
}

export function resources(text: string): Record<string, number> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new InvalidArgumentError(`It is JSON, such as '{"gpu-node": 1}'.`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidArgumentError(`It is a JSON object of names and amounts, such as '{"gpu-node": 1}'.`)
  const amounts = value as Record<string, number>
  checked(() => parseResources({ resources: amounts }))
  return amounts
}

/** Given several times, or several separated by commas. */
export function labels(text: string, before: Record<string, string> = {}): Record<string, string> {
  const all = { ...before }
  for (const pair of text.split(',')) {
    const [, key, value] = /^([^=]+)=(.*)$/.exec(pair) ?? []
    if (key === undefined || value === undefined) throw new InvalidArgumentError('A label is key=value.')
    if (key === '__proto__') throw new InvalidArgumentError('That key is not allowed.')
    all[key] = value
  }
  return all
}

function checked(parse: () => unknown): void {
  try {
    parse()
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

const timeUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const longestMs = 2 ** 31 - 1

/** In milliseconds; seconds where no unit is said. */
export function duration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim()) ?? []
  const valueMs = Math.round(Number(amount) * (timeUnitsMs[unit] ?? 0))
  if (amount === undefined || valueMs > longestMs)
    throw new InvalidArgumentError('A time is a number with ms, s, m or h, such as 90s; at most 24 days.')
  return valueMs
}

export function count(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('It is a whole number.')
  return value
}
