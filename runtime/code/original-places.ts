/**
 * Stacks of errors that come back name lines of a function's own text (`outpool:fn/score@1x2y+80:3:9`): the worker has no
 * more than that. Here, where the function was written, they are made to name its file and line; those of the original,
 * where the file was compiled and has a source map (tsx writes one into every text).
 *
 * Nothing of this is done before an error comes that has such lines.
 */
import { readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { fileURLToPath } from 'node:url'
import { BoundedMap } from '../base/bounded-map.ts'
import { readScopes } from './captures/scopes.ts'
import { scriptOf, scriptText, sourceMapUrlOf } from './captures/scripts.ts'
import { notedFunctions, type NotedFunction } from './noted-functions.ts'
import { lineStarts, position } from './parse-function.ts'
import { hashOf } from './text-label.ts'

const prefix = 'outpool:fn/'
/** Above the stack of an uncaught error Node names the line alone. */
const label = /outpool:fn\/[^@\s()]*@(\w+)\+(\d+):(\d+)(?::(\d+))?/g
const maxDepth = 16

/** The same error; lines of functions of this process name where those were written. */
export function nameOriginalPlaces(error: unknown, depth: number = 0): unknown {
  if (!(error instanceof Error) || depth > maxDepth) return error
  const { stack, cause } = error
  if (typeof stack === 'string' && stack.includes(prefix)) {
    const value = withOriginalPlaces(stack)
    Object.defineProperty(error, 'stack', { value, writable: true, configurable: true, enumerable: false })
  }
  nameOriginalPlaces(cause, depth + 1)
  const { errors } = error as { readonly errors?: unknown }
  if (Array.isArray(errors)) for (const one of errors) nameOriginalPlaces(one, depth + 1)
  return error
}

/** The same for any text: what a worker printed before it ended, say. */
export function withOriginalPlaces(text: string): string {
  if (!text.includes(prefix)) return text
  return text.replace(label, (whole, hash: string, before: string, inLine: string, inColumn: string | undefined) => {
    const line = Number(inLine)
    if (inColumn === undefined) return placeOf(hash, line, 1)?.replace(/:\d+$/, '') ?? whole
    return placeOf(hash, line, Number(inColumn) - (line === 1 ? Number(before) : 0)) ?? whole
  })
}

/** `file:///program/score.ts:14:9`; undefined where that cannot be told. */
function placeOf(hash: string, line: number, column: number): string | undefined {
  for (const [text, known] of notedFunctions()) {
    if (hashOf(text) !== hash) continue
    if (known.isAmbiguous) return undefined
    try {
      return placeIn(text, known, line, column)
    } catch {
      return undefined
    }
  }
  return undefined
}

function placeIn(text: string, { fn, location }: NotedFunction, line: number, column: number): string | undefined {
  const made = fn.deref()
  const at = location ?? (made && readScopes(made)?.location)
  if (at === undefined) return undefined
  const script = scriptOf(at.scriptId)
  const whole = scriptText(at.scriptId)
  if (script === undefined || whole === undefined || script.url === '') return undefined
  const starts = lineStarts(whole)
  // The engine names where the parameters begin; the text begins at its first word.
  const original = made === undefined ? text : Function.prototype.toString.call(made)
  const start = whole.lastIndexOf(original, (starts[at.line] ?? 0) + at.column)
  if (start < 0) return undefined
  const first = position(starts, start)
  const found = { line: first.line + line - 1, column: (line === 1 ? first.column : 1) + column - 1 }
  return originalPlace(script.url, sourceMapUrlOf(at.scriptId), found) ?? placeText(script.url, script.isModule, found)
}

interface Place {
  /** Both count from 1. */
  readonly line: number
  readonly column: number
}

/** As Node writes it: URLs of ES modules, paths of CommonJS. */
function placeText(url: string, isModule: boolean, { line, column }: Place): string {
  const file = !isModule && url.startsWith('file:') ? fileURLToPath(url) : url
  return `${file}:${line}:${column}`
}

const maxMaps = 64
const maps = new BoundedMap<string, SourceMap | null>(maxMaps)

function originalPlace(url: string, mapUrl: string, { line, column }: Place): string | undefined {
  if (mapUrl === '') return undefined
  const map = maps.getOrMake(mapUrl, () => readMap(new URL(mapUrl, url)))
  const entry = map?.findEntry(line - 1, column - 1)
  if (entry === undefined || !('originalSource' in entry)) return undefined
  const base = mapUrl.startsWith('data:') ? url : new URL(mapUrl, url)
  const source = new URL(entry.originalSource, base)
  return `${source.protocol === 'file:' ? fileURLToPath(source) : source.href}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
}

function readMap(url: URL): SourceMap | null {
  try {
    const text = url.protocol === 'file:' ? readFileSync(url, 'utf8') : textOfData(url.href)
    return text === undefined ? null : new SourceMap(JSON.parse(text) as SourceMapPayload)
  } catch {
    return null
  }
}

function textOfData(href: string): string | undefined {
  const [, parameters, data = ''] = /^data:([^,]*),(.*)$/s.exec(href) ?? []
  if (parameters === undefined) return undefined
  return parameters.endsWith(';base64') ? Buffer.from(data, 'base64').toString() : decodeURIComponent(data)
}
