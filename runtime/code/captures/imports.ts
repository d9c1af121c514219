/** The imports of a script: which of its names stand for an export of which module. Pure. */
import type { ImportDeclaration } from 'acorn'
import { parseProgram } from '../parse-function.ts'

export interface Import {
  readonly specifier: string
  /** 'default', a name, or '*' for all of the module. */
  readonly exportName: string
}

/** By local name; empty for a text that is no ES module. */
export function importsOf(text: string): ReadonlyMap<string, Import> {
  const found = new Map<string, Import>()
  if (!/\bimport\b/.test(text)) return found
  let body
  try {
    body = parseProgram(text, 'module').body
  } catch {
    return found
  }
  for (const statement of body) {
    if (statement.type !== 'ImportDeclaration') continue
    const specifier = String(statement.source.value)
    for (const one of statement.specifiers) {
      found.set(one.local.name, { specifier, exportName: exportNameOf(one) })
    }
  }
  return found
}

/** What one name of an import declaration stands for: 'default', a name, or '*' for all of the module. */
export function exportNameOf(one: ImportDeclaration['specifiers'][number]): string {
  if (one.type === 'ImportDefaultSpecifier') return 'default'
  if (one.type === 'ImportNamespaceSpecifier') return '*'
  return one.imported.type === 'Identifier' ? one.imported.name : String(one.imported.value)
}
