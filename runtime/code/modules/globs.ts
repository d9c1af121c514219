/**
 * Patterns of paths, as `include` and `exclude` take them: `*` and `?` within a part, `**` for any number of parts,
 * `{a,b}` for either. A pattern without a slash means a name at any depth; one that names a folder means all that is in
 * it. Pure.
 */

/** Whether one of the patterns means this path, which is relative and has `/` between its parts. */
export function matcher(patterns: readonly string[]): (path: string) => boolean {
  const all = patterns.map(toExpression)
  return (path) => all.some((expression) => expression.test(path))
}

function toExpression(pattern: string): RegExp {
  const plain = pattern.replace(/\/+$/, '')
  const body = plain.includes('/') ? plain.replace(/^\.?\//, '') : `**/${plain}`
  return new RegExp(`^${translate(body)}(?:/.*)?$`, 's')
}

function translate(pattern: string): string {
  let out = ''
  let depth = 0
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern.charAt(i)
    if (pattern.startsWith('**/', i)) {
      out += '(?:[^/]+/)*'
      i += 2
    } else if (pattern.startsWith('**', i)) {
      out += '.*'
      i += 1
    } else if (character === '*') out += '[^/]*'
    else if (character === '?') out += '[^/]'
    else if (character === '{' && pattern.includes('}', i)) {
      depth++
      out += '(?:'
    } else if (character === '}' && depth > 0) {
      depth--
      out += ')'
    } else if (character === ',' && depth > 0) out += '|'
    else out += character.replace(/[.+^$()|[\]\\{}]/, '\\$&')
  }
  return out
}
