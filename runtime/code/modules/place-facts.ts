/**
 * What a source text says about where it lies: whether it asks for its own place at all, and whether it then reaches for
 * something beside it, which a bundle would not have. Pure; by patterns, since a false alarm only costs the smaller
 * bundle, and the fallback is right in any case.
 */

const mention =
  /\b__(?:dir|file)name\b|\bimport\s*\.\s*meta\s*\.\s*(?:url|dirname|filename|resolve)\b|\brequire\s*\.\s*resolve\b/

const strictText = /^(?:\s|\/\/[^\n]*\n|\/\*[\s\S]*?\*\/)*(['"])use strict\1/

/** Whether the text uses its own place in any way. */
export function mentionsPlace(text: string): boolean {
  return mention.test(text)
}

const here = String.raw`(?:import\s*\.\s*meta\s*\.\s*(?:url|dirname|filename)|__dirname|__filename)`
const reaches: readonly (readonly [pattern: RegExp, what: string])[] = [
  [new RegExp(String.raw`\bnew\s+URL\s*\([^;]{0,300}?\b${here}`), 'a file beside it by URL'],
  [new RegExp(String.raw`\bcreateRequire\s*\(\s*${here}`), 'packages by createRequire'],
  [new RegExp(String.raw`\b(?:fileURLToPath|dirname)\s*\(\s*${here}`), 'the folder that it lies in'],
  [
    new RegExp(
      String.raw`\b(?:join|resolve|relative|readFile|readFileSync|readdir|readdirSync|createReadStream|open|openSync|Worker|fork|spawn)\s*\(\s*${here}`,
    ),
    'a file by its own path',
  ],
  [new RegExp(String.raw`(?:\+\s*${here}|${here}\s*\+|\$\{\s*${here})`), 'a path that begins with its own'],
  [/\bimport\s*\.\s*meta\s*\.\s*resolve\b|\brequire\s*\.\s*resolve\b/, 'the place of a module'],
]

export interface PlaceUse {
  /** From 1. */
  readonly line: number
  /** Follows "uses ". */
  readonly what: string
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

/** The first use of its own place with which the text reaches for something beside it; undefined for none. */
export function reachesBeside(text: string): PlaceUse | undefined {
  for (const [pattern, what] of reaches) {
    const match = pattern.exec(text)
    if (match !== null) return { line: lineOf(text, match.index), what }
  }
  return undefined
}

const handsOn = new RegExp(String.raw`(?<![=!]=\s*)(?<![\w$.])${here}(?!\s*(?:[=!]=|[.\[\w$]))`)
const namesUs = /(['"])(?:outpool(?:\/[\w-]+)?|workerpool)\1/

/**
 * Where a text may name a module to be run by its own place: for that it has to be a file, or the one that a bundle was
 * made of.
 */
export function namesItself(text: string): PlaceUse | undefined {
  const match = namesUs.test(text) ? handsOn.exec(text) : null
  return match === null
    ? undefined
    : { line: lineOf(text, match.index), what: 'its own place, by which it may be named' }
}

/**
 * The text with its own place as values, on the line that it begins with, so that every line keeps its number. They are
 * named by `placeDefines`.
 */
export function withPlace(text: string, place: { url: string; dirname: string; filename: string }): string {
  const strict = strictText.test(text) ? "'use strict';" : ''
  const values = `var __outpool_url=${JSON.stringify(place.url)},__outpool_dirname=${JSON.stringify(place.dirname)},__outpool_filename=${JSON.stringify(place.filename)};`
  return `${strict}${values}${text.startsWith('#!') ? '//' : ''}${text}`
}

/** `import` or `require` of a path that is made at run time, of which a bundler would take every file that might be meant. */
const madePath = /\b(import|require)(\s*\(\s*)(?:(`)(?=[^`]*\$\{)|(['"][^'"\n]*['"])(\s*\+))/g

/** The line of the first; undefined for none. */
export function importsExpression(text: string): PlaceUse | undefined {
  const index = text.search(madePath)
  return index < 0 ? undefined : { line: lineOf(text, index), what: 'a module whose name is made at run time' }
}

/** The text with those paths written so that a bundler leaves them as they are. */
export function withMadePaths(text: string): string {
  if (text.search(madePath) < 0) return text
  const left = text.replace(
    madePath,
    (_, call: string, open: string, template?: string, literal?: string, plus?: string) =>
      template === undefined ? `${call}${open}(0,${literal})${plus}` : `${call}${open}__outpool_text\``,
  )
  const strict = strictText.test(text) ? "'use strict';" : ''
  const tag = 'var __outpool_text=(parts,...values)=>String.raw({raw:parts},...values);'
  return `${strict}${tag}${left.startsWith('#!') ? '//' : ''}${left}`
}

export const placeDefines: Readonly<Record<string, string>> = {
  'import.meta.url': '__outpool_url',
  'import.meta.dirname': '__outpool_dirname',
  'import.meta.filename': '__outpool_filename',
  __dirname: '__outpool_dirname',
  __filename: '__outpool_filename',
}
