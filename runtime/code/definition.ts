/**
 * A function as it travels: where its code is (a tagged union), under an id
 * that is the hash of its content, so that a peer can be asked for it and an answer can be checked.
 */
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { FunctionCaptureError, ProtocolError } from '../base/errors.ts'
import { sha256 } from '../base/hash.ts'
import type { RefTuple } from '../protocol/messages.ts'
import { isRef } from './modules/environment.ts'
import { isOwnModule, portableUrl } from './own-modules.ts'

export type FunctionSource =
  /**
   * An export of a module. `exportName`: 'default', 'name' or 'default.method'. `pack`: an object that says how the module
   * is made on a node (modules/manifest.ts); without one it exists on every node that runs it.
   */
  | { readonly kind: 'module'; readonly url: string; readonly exportName: string; readonly pack?: RefTuple }
  /** The text of a function that needs nothing from outside itself, as `toString` gives it. */
  | { readonly kind: 'source'; readonly text: string; readonly name: string }
  /** A function that captures variables: text and variables come with each call. `text`: the hash of its text. */
  | { readonly kind: 'closure'; readonly text: string; readonly name: string }

export interface FunctionDefinition {
  /** 32 hex digits: SHA-256 of the content, cut to 16 bytes. */
  readonly id: string
  /** For people: logs, errors, the status of tasks. */
  readonly name: string
  readonly source: FunctionSource
  /** What is sent: the 16 bytes of the id, then the content as JSON. Not to be changed. */
  readonly bytes: Uint8Array
}

const idBytes = 16

/** A function whose text and variables come with each of its calls. */
export function closureDefinition(text: string, name: string): FunctionDefinition {
  return createDefinition({ kind: 'closure', text: sha256(Buffer.from(text)).toString('hex', 0, idBytes), name })
}

const closureMark = Buffer.from('["closure",')

/** Whether the definition in `bytes` is of that kind, without decoding it. */
export function isClosure(bytes: Uint8Array): boolean {
  return closureMark.equals(bytes.subarray(idBytes, idBytes + closureMark.length))
}

/** The same function, its module packed; `pack` names what says how. Without one it exists where it is called. */
export function withPack(definition: FunctionDefinition, pack: RefTuple | undefined): FunctionDefinition {
  const { source } = definition
  if (source.kind !== 'module') return definition
  const { kind, url, exportName } = source
  return createDefinition({ kind, url, exportName, ...(pack !== undefined && { pack }) })
}

export function createDefinition(source: FunctionSource): FunctionDefinition {
  const content = Buffer.from(JSON.stringify(canonical(source)))
  const id = contentId(content)
  return { id: id.toString('hex'), name: displayName(source), source, bytes: Buffer.concat([id, content]) }
}

/**
 * An export of a module, named outright.
 *
 * `url`: a `file:` URL, an absolute path, or a `node:` module. `exportName`: 'default', 'name', or dotted
 * ('default.method', called on what it belongs to). Nothing is loaded here. `caller`: the call that an error message
 * begins with.
 */
export function moduleExport(url: string | URL, exportName: string, caller: string = 'remote'): FunctionDefinition {
  const href = moduleUrl(url, caller)
  if (!isExportName(exportName)) {
    const given = typeof exportName === 'string' ? JSON.stringify(exportName) : String(exportName)
    throw new FunctionCaptureError(
      `${caller}(${href}): ${given} is no name of an export. Use 'default', 'name' or 'default.method'.`,
      { details: { url: href, exportName } },
    )
  }
  return createDefinition({ kind: 'module', url: href, exportName })
}

function moduleUrl(url: string | URL, caller: string): string {
  const given = String(url)
  const href = isAbsolute(given) ? pathToFileURL(given).href : given
  if (isModuleUrl(href)) return portableUrl(new URL(href).href)
  throw new FunctionCaptureError(
    `${caller}(${JSON.stringify(given)}): this is no URL or absolute path of a module. ` +
      `Use a file: URL, such as new URL('./tasks.js', import.meta.url), an absolute path, or a node: module.`,
    { details: { url: given } },
  )
}

/** Reads what `createDefinition` wrote. Throws ProtocolError where the id is not that of the content, or on any other shape. */
export function decodeDefinition(bytes: Uint8Array): FunctionDefinition {
  const all = Buffer.from(bytes) // a copy: the caller's may be a piece of a receive buffer that is used again
  const content = all.subarray(idBytes)
  const id = all.subarray(0, idBytes).toString('hex')
  if (all.length <= idBytes || contentId(content).toString('hex') !== id) {
    throw new ProtocolError(`function ${id}: its content has another id; it was damaged or forged on its way`)
  }
  const source = parseSource(content)
  if (source === undefined) {
    throw new ProtocolError(
      `function ${id}: its content is no function source that this version knows. Run the same version of outpool everywhere.`,
    )
  }
  return { id, name: displayName(source), source, bytes: all }
}

function contentId(content: Uint8Array): Buffer {
  return sha256(content).subarray(0, idBytes)
}

function canonical(source: FunctionSource): readonly unknown[] {
  if (source.kind !== 'module') return [source.kind, source.text, source.name]
  const { kind, url, exportName, pack } = source
  return pack === undefined ? [kind, url, exportName] : [kind, url, exportName, pack]
}

function parseSource(content: Buffer): FunctionSource | undefined {
  let parts: unknown
  try {
    parts = JSON.parse(content.toString())
  } catch {
    return undefined
  }
  if (!Array.isArray(parts) || parts.length < 3 || parts.length > 4) return undefined
  const [kind, first, second, pack] = parts as unknown[]
  if (typeof first !== 'string' || typeof second !== 'string') return undefined
  if ((kind === 'source' || kind === 'closure') && parts.length === 3) return { kind, text: first, name: second }
  if (kind !== 'module' || !isModuleUrl(first) || !isExportName(second)) return undefined
  if (parts.length === 3) return { kind, url: first, exportName: second }
  return isRef(pack) ? { kind, url: first, exportName: second, pack } : undefined
}

function isModuleUrl(url: string): boolean {
  return isOwnModule(url) || (/^(file:\/\/|node:\w)/.test(url) && URL.canParse(url))
}

function isExportName(name: unknown): name is string {
  return typeof name === 'string' && name.split('.').every((part) => part !== '')
}

function displayName(source: FunctionSource): string {
  if (source.kind !== 'module') return source.name === '' ? 'anonymous' : source.name
  const last = source.exportName.split('.').at(-1) ?? 'default'
  if (last !== 'default') return last
  const file =
    source.url
      .replace(/[?#].*$/, '')
      .split('/')
      .at(-1) ?? ''
  return file.replace(/\.[^.]*$/, '') || last
}
