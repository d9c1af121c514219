/**
 * The environment of tasks, as the word by which workers are told apart: every worker is of one from its start to its
 * end. The word says all that is needed to make one: variables, the object that says how the working folder is made, and
 * modules of Outpool that come before everything else.
 * `''` is the environment of everything that asks for none.
 */
import { ProtocolError } from '../../base/errors.ts'
import { isProcessId } from '../../base/ids.ts'
import type { RefTuple } from '../../protocol/messages.ts'
import { isOwnModule } from '../own-modules.ts'

export interface Environment {
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: RefTuple | undefined
  /** Modules of Outpool as they travel (`outpool:...`), which a worker loads before its first task. */
  readonly preloads: readonly string[]
}

/** Equal environments have equal words. */
export function environmentWord({ env, workingDir, preloads }: Environment): string {
  const variables = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))
  if (variables.length === 0 && workingDir === undefined && preloads.length === 0) return ''
  return JSON.stringify([variables, workingDir ?? null, preloads])
}

/** Throws ProtocolError for a word that `environmentWord` does not give. */
export function parseEnvironment(word: string): Environment {
  if (word === '') return { env: {}, workingDir: undefined, preloads: [] }
  let parts: unknown
  try {
    parts = JSON.parse(word)
  } catch {
    parts = undefined
  }
  const [variables, workingDir, preloads] = Array.isArray(parts) ? (parts as unknown[]) : []
  const ok = isListOf(variables, isVariable) && (workingDir === null || isRef(workingDir))
  if (!ok || !isListOf(preloads, isPreload))
    throw new ProtocolError(
      'an environment is not written as this version writes it. Run the same version of outpool everywhere.',
    )
  return { env: Object.fromEntries(variables), workingDir: workingDir ?? undefined, preloads }
}

function isListOf<T>(value: unknown, isOne: (one: unknown) => one is T): value is T[] {
  return Array.isArray(value) && value.every(isOne)
}

function isPreload(value: unknown): value is string {
  return typeof value === 'string' && isOwnModule(value)
}

function isVariable(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string')
}

export function isRef(value: unknown): value is RefTuple {
  if (!Array.isArray(value) || value.length !== 3) return false
  const [owner, number, node] = value as unknown[]
  return isProcessId(owner) && Number.isSafeInteger(number) && isProcessId(node)
}
