/**
 * The handshake. On a byte stream the dialler begins with
 *
 *   | magic, 8 bytes | u16 protocol | token digest, 32 bytes | u32 length | JSON |
 *
 * so that version and token are judged at fixed positions before anything is decoded. The answer is
 *
 *   | magic, 8 bytes | u16 protocol | u8 0 welcome, 1 refused | u32 length | JSON |
 *
 * Over HTTP the token is in `Authorization`, the same JSON in a header of the upgrade and of its answer.
 */
import {
  AuthenticationError,
  ConnectionLostError,
  OutpoolError,
  ProtocolError,
  ProtocolVersionError,
} from '../base/errors.ts'
import { isProcessId } from '../base/ids.ts'
import type { NodeId, ProcessAddress, ProcessId } from '../base/ids.ts'
import { maxHelloBytes } from '../base/limits.ts'
import { protocolVersion } from '../protocol/version.ts'
import { digestBytes, digestMatches, tokenDigest } from './token-digest.ts'
import type { TokenSource } from './tokens.ts'

/** The version of this package; a test compares it with package.json. */
export const packageVersion = '0.1.0'

export type ProcessKind = 'driver' | 'node' | 'worker' | 'head'
/** `control` carries messages, `bulk` chunks of objects, `back` hands a driver's connection to its home. */
export type Channel = 'control' | 'bulk' | 'back'
/** `any`: whichever process answers at that address, for those who know an address alone. */
export type DialTarget = ProcessAddress | 'any'

/** What a process says of itself. `info` is plain JSON data, a few hundred bytes. */
export interface LocalHello {
  readonly kind: ProcessKind
  readonly node: NodeId
  readonly process: ProcessId
  readonly info?: Readonly<Record<string, unknown>>
}

/** What the other side said of itself. */
export interface PeerHello extends LocalHello {
  readonly info: Readonly<Record<string, unknown>>
  readonly protocol: number
  /** Version of the package there. */
  readonly version: string
  readonly nodeMajor: number
}

export interface Hello {
  readonly from: PeerHello
  readonly to: DialTarget
  readonly channel: Channel
  /** With channel `back`: the ticket that the home gave. */
  readonly ticket?: string
  /** Nodes that have relayed this connection so far. */
  readonly hops?: number
}

/** Why a connection was refused; travels in the refusal. */
export type RefusalCode =
  | 'authentication'
  | 'protocol-version'
  | 'origin'
  | 'host'
  | 'not-found'
  | 'gone'
  /** It may be there: nobody on the way to it answered. */
  | 'unreachable'
  | 'malformed'
  | 'too-large'
  | 'timeout'
  | 'busy'
  | 'rejected'

export interface Refusal {
  readonly code: RefusalCode
  /** A sentence for people: what was seen, what was expected. */
  readonly reason: string
}

/** Thrown inside the handshake; becomes the refusal that the other side is told. */
export class RefusedError extends Error {
  readonly refusal: Refusal
  constructor(code: RefusalCode, reason: string) {
    super(reason)
    this.refusal = { code, reason }
  }
}

const magic = Buffer.from('outpool\0', 'latin1')
const headBytes = magic.length + 2 + digestBytes + 4
const answerHeadBytes = magic.length + 2 + 1 + 4
const nodeMajor = Number.parseInt(process.versions.node, 10)

/** Where hello and welcome travel over HTTP: base64url of their JSON. */
export const helloHeader = 'outpool-hello'
export const welcomeHeader = 'outpool-welcome'

export function toHeader(text: string): string {
  return Buffer.from(text).toString('base64url')
}

/** `local` with the facts that every hello carries. */
export function peerHello(local: LocalHello): PeerHello {
  return { ...local, info: local.info ?? {}, protocol: protocolVersion, version: packageVersion, nodeMajor }
}

export function encodeHello(hello: Hello, token: string): Buffer {
  const body = Buffer.from(helloText(hello))
  const head = Buffer.alloc(headBytes)
  magic.copy(head)
  head.writeUInt16BE(protocolVersion, magic.length)
  tokenDigest(token).copy(head, magic.length + 2)
  head.writeUInt32BE(body.length, headBytes - 4)
  return Buffer.concat([head, body])
}

/** Throws ProtocolError when the hello would be refused for its size. */
export function helloText(hello: Hello | { readonly from: PeerHello }): string {
  const text = JSON.stringify(hello)
  const sizeBytes = Buffer.byteLength(text) + headBytes
  if (sizeBytes > maxHelloBytes)
    throw new ProtocolError(`the hello takes ${sizeBytes} bytes, the limit is ${maxHelloBytes}; shorten its info`)
  return text
}

/** Reads the hello at the start of a stream; undefined while it is incomplete. Throws RefusedError. */
export function decodeHello(
  bytes: Buffer,
  token: TokenSource,
  limitBytes: number,
): { hello: Hello; used: number } | undefined {
  const compared = Math.min(bytes.length, magic.length)
  if (!bytes.subarray(0, compared).equals(magic.subarray(0, compared)))
    throw new RefusedError('malformed', 'what came is not a hello of Outpool')
  if (bytes.length < magic.length + 2) return undefined
  const version = bytes.readUInt16BE(magic.length)
  if (version !== protocolVersion) throw new RefusedError('protocol-version', versionText(version, protocolVersion))
  if (bytes.length < headBytes) return undefined
  const shown = bytes.subarray(magic.length + 2, magic.length + 2 + digestBytes)
  if (!digestMatches(shown, token)) throw new RefusedError('authentication', tokenText)
  const length = bytes.readUInt32BE(headBytes - 4)
  if (headBytes + length > limitBytes)
    throw new RefusedError('too-large', `the hello announces ${length} bytes, the limit is ${limitBytes - headBytes}`)
  const used = headBytes + length
  if (bytes.length < used) return undefined
  return { hello: parseHello(bytes.toString('utf8', headBytes, used)), used }
}

export const tokenText =
  'the token is missing or wrong; set OUTPOOL_TOKEN (or OUTPOOL_TOKEN_FILE) to the token of the cluster'

/** Read on both sides. */
export function versionText(seen: number | string, expected: number): string {
  return (
    `it came with protocol ${seen}, where protocol ${expected} is spoken (outpool ${packageVersion}); install the same ` +
    'build of outpool on every machine and in every program, and start again what has run since before'
  )
}

/** Throws RefusedError for anything that is not exactly a hello. */
export function parseHello(text: string): Hello {
  const value = parsePlain(text)
  const from = parsePeer(value['from'])
  const { to, channel, ticket, hops } = value
  if (channel !== 'control' && channel !== 'bulk' && channel !== 'back') throw badHello('channel')
  if (to !== 'any' && !(isPlain(to) && isProcessId(to['node']) && isProcessId(to['process']))) throw badHello('to')
  if (ticket !== undefined && typeof ticket !== 'string') throw badHello('ticket')
  if (hops !== undefined && !isCount(hops)) throw badHello('hops')
  const rest = { ...(ticket === undefined ? {} : { ticket }), ...(hops === undefined ? {} : { hops }) }
  return { from, to: to as DialTarget, channel, ...rest }
}

function parsePeer(value: unknown): PeerHello {
  if (!isPlain(value)) throw badHello('from')
  const { kind, node, process, info, protocol, version } = value
  if (kind !== 'driver' && kind !== 'node' && kind !== 'worker' && kind !== 'head') throw badHello('from.kind')
  if (!isProcessId(node)) throw badHello('from.node')
  if (!isProcessId(process)) throw badHello('from.process')
  if (!isPlain(info)) throw badHello('from.info')
  if (typeof protocol !== 'number' || typeof version !== 'string') throw badHello('from.version')
  if (typeof value['nodeMajor'] !== 'number') throw badHello('from.nodeMajor')
  return { kind, node, process, info, protocol, version, nodeMajor: value['nodeMajor'] }
}

function badHello(field: string): RefusedError {
  return new RefusedError('malformed', `the hello has no valid ${JSON.stringify(field)}`)
}

/** A negative one would let a connection go round among the nodes for as long as it likes. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsePlain(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text, (key, item: unknown) => {
      if (key === '__proto__') throw new SyntaxError('a key that no hello has')
      return item
    })
  } catch {
    throw new RefusedError('malformed', 'the hello is not valid JSON')
  }
  if (!isPlain(value)) throw new RefusedError('malformed', 'the hello is not an object')
  return value
}

export function encodeWelcome(local: LocalHello): Buffer {
  return encodeAnswer(0, helloText({ from: peerHello(local) }))
}

export function encodeRefusal(refusal: Refusal): Buffer {
  return encodeAnswer(1, JSON.stringify(refusal))
}

function encodeAnswer(status: number, text: string): Buffer {
  const body = Buffer.from(text)
  const head = Buffer.alloc(answerHeadBytes)
  magic.copy(head)
  head.writeUInt16BE(protocolVersion, magic.length)
  head[magic.length + 2] = status
  head.writeUInt32BE(body.length, answerHeadBytes - 4)
  return Buffer.concat([head, body])
}

/** Reads the answer to a hello; undefined while incomplete. Throws the error that the refusal stands for. */
export function decodeAnswer(bytes: Buffer): { peer: PeerHello; used: number } | undefined {
  const compared = Math.min(bytes.length, magic.length)
  if (!bytes.subarray(0, compared).equals(magic.subarray(0, compared)))
    throw new ProtocolError('what answers there is not an Outpool process')
  if (bytes.length < answerHeadBytes) return undefined
  const status = bytes[magic.length + 2]
  const length = bytes.readUInt32BE(answerHeadBytes - 4)
  if (length > maxHelloBytes) throw new ProtocolError(`the answer to the hello announces ${length} bytes`)
  const used = answerHeadBytes + length
  if (bytes.length < used) return undefined
  const text = bytes.toString('utf8', answerHeadBytes, used)
  if (status !== 0) throw refusalError(parseRefusal(text, 'malformed'))
  return { peer: parseWelcome(text), used }
}

/** Throws ProtocolError. */
export function parseWelcome(text: string): PeerHello {
  try {
    return parsePeer(parsePlain(text)['from'])
  } catch (error) {
    throw new ProtocolError(`the welcome of the other side is not valid: ${(error as Error).message}`, { cause: error })
  }
}

/** `otherwise`: what to say of an answer that is none of Outpool's. Default: its beginning. */
export function parseRefusal(text: string, fallback: RefusalCode, otherwise?: string): Refusal {
  try {
    const { code, reason } = parsePlain(text)
    if (typeof code === 'string' && typeof reason === 'string') return { code: code as RefusalCode, reason }
  } catch {
    // Not an Outpool answer (a proxy, say).
  }
  return { code: fallback, reason: otherwise ?? (text.slice(0, 200) || 'no reason was given') }
}

/** Whether that is what a dialler got from somebody who is there, and refused. */
export function isRefusal(error: unknown): boolean {
  return error instanceof OutpoolError && typeof error.details['refusal'] === 'string'
}

/** Whether that is what a dialler got from somebody who knows that there is no such process any more. */
export function isGone(error: unknown): boolean {
  return isRefusedAs('gone', error)
}

/** Whether that is what a dialler got from somebody who has too many others to hear first. */
export function isTurnedAway(error: unknown): boolean {
  return isRefusedAs('busy', error)
}

/** Whether that is what a dialler got for having said nothing for too long. */
export function isOwnDelay(error: unknown): boolean {
  return isRefusedAs('timeout', error)
}

function isRefusedAs(code: RefusalCode, error: unknown): boolean {
  return error instanceof OutpoolError && error.details['refusal'] === code
}

/** The error that a dialler gets for a refusal. */
export function refusalError(refusal: Refusal): OutpoolError {
  const options = { details: { refusal: refusal.code } }
  const text = `the connection was refused: ${refusal.reason}`
  switch (refusal.code) {
    case 'authentication':
    case 'origin':
    case 'host':
      return new AuthenticationError(text, options)
    case 'protocol-version':
      return new ProtocolVersionError(
        `${text} (here is outpool ${packageVersion}, protocol ${protocolVersion})`,
        options,
      )
    case 'malformed':
    case 'too-large':
      return new ProtocolError(text, options)
    default:
      return new ConnectionLostError(text, options)
  }
}
