/** Runs in Node's loader thread, where Node has no `registerHooks`: gives names another meaning for `import`. */
import { writeSync } from 'node:fs'
import { shimUrlFor } from './name-resolution.ts'

interface ResolveResult {
  readonly url: string
  readonly format?: string | null
  readonly shortCircuit?: boolean
}
interface ResolveContext {
  readonly parentURL?: string
}

const names = new Set<string>()
const reported = new Set<string>()

export function initialize(data: { readonly names: readonly string[] }): void {
  for (const name of data.names) names.add(name)
}

export async function resolve(
  specifier: string,
  context: ResolveContext,
  next: (specifier: string, context: ResolveContext) => Promise<ResolveResult>,
): Promise<ResolveResult> {
  if (!names.has(specifier)) return next(specifier, context)
  const original = await next(specifier, context)
  const url = shimUrlFor(specifier, context.parentURL, () => original.url, report)
  return url === undefined ? original : { url, format: 'module', shortCircuit: true }
}

function report(text: string): void {
  if (reported.has(text)) return
  reported.add(text)
  // What this thread writes by other means can be lost when the program ends.
  writeSync(2, `outpool: ${text}\n`)
}
