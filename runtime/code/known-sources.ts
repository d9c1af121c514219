/**
 * Which texts of functions need nothing from outside themselves, as earlier processes found. To find it again takes a
 * start the parser of JavaScript and what reads captures, 5 to 10 ms. They are kept beside the bytecode of this package,
 * by the id of the definition, which is a hash of all of the text: the text itself is written nowhere.
 *
 *     <id> <globals that it uses, if any>\n ...
 */
import { keepBytes, keptBytes } from '../base/compiled-script.ts'

/** Globals are those of this release. */
const name = `functions-${process.versions.node.replaceAll('.', '-')}`
/** A process looks up, and keeps, those that it defines first; what comes later is no part of its start. */
const maxLooks = 64
/** The oldest are forgotten beyond it. */
const maxBytes = 32 * 1024

let kept: string | undefined
let looks = 0
const found: string[] = []

/** Whether it is worth making the definition of a text to ask for it. */
export function mayBeKnown(): boolean {
  if (looks++ >= maxLooks) return false
  kept ??= read()
  return kept !== ''
}

/** The globals of Node that the text of the definition uses, when it uses nothing else; undefined where that is not known. */
export function globalsOf(id: string): readonly string[] | undefined {
  const start = `\n${kept ?? ''}`.indexOf(`\n${id}`)
  if (kept === undefined || start < 0) return undefined
  const [, ...names] = kept.slice(start, kept.indexOf('\n', start)).split(' ')
  return names
}

/** To be known by the processes that start after this one. */
export function keepGlobals(id: string, names: readonly string[]): void {
  if (looks > maxLooks) return
  if (found.push([id, ...names].join(' ')) === 1) keepBytes(name, () => Buffer.from(withFound(read())))
}

function read(): string {
  return keptBytes(name)?.toString() ?? ''
}

/** What others have kept meanwhile stays. */
function withFound(before: string): string {
  const lines = new Set([...before.split('\n').filter(Boolean), ...found])
  let all = [...lines].map((line) => `${line}\n`).join('')
  if (all.length > maxBytes) all = all.slice(all.indexOf('\n', all.length - maxBytes) + 1)
  return all
}
