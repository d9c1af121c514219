import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { form } from '../../../runtime/code/captures/code-forms.ts'
import { tag } from '../../../runtime/objects/value-format.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import { protocolVersion, subprotocol } from '../../../runtime/protocol/version.ts'
import { encodeHello, encodeRefusal, peerHello } from '../../../runtime/transport/hello.ts'
import { hello } from '../transport/support.ts'
import { encoded } from './golden/encoded.ts'

const file = join(import.meta.dirname, 'golden/bytes.json')
const command = 'OUTPOOL_GOLDEN=write npx mocha test/unit/protocol/golden-bytes.test.ts'
const writes = process.env['OUTPOOL_GOLDEN'] === 'write'

interface Golden {
  readonly protocolVersion: number
  readonly bytes: Readonly<Record<string, string>>
}

/** What differs, each with both sides. */
function differences(before: Golden['bytes'], now: Golden['bytes']): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((name) => before[name] !== now[name])
  return names.map((name) => `${name}\n  was ${before[name] ?? 'not there'}\n  is  ${now[name] ?? 'not there'}`)
}

/** What to do about bytes that are not those of the file; undefined where nothing is to be done. */
function advice(golden: Golden, version: number, now: Golden['bytes']): string | undefined {
  const found = differences(golden.bytes, now)
  if (golden.protocolVersion !== version)
    return `the bytes of protocol ${version} are not written down yet; run: ${command}`
  if (found.length === 0) return undefined
  return (
    `these bytes are not those of protocol ${version}. Two builds that write them differently must not join each other: ` +
    `raise protocolVersion in runtime/protocol/version.ts, then run: ${command}\n${found.join('\n')}`
  )
}

describe('what processes tell each other, as bytes', () => {
  let golden: Golden
  let now: Golden['bytes']
  before(async () => {
    golden = JSON.parse(readFileSync(file, 'utf8')) as Golden
    now = await encoded()
    if (!writes || golden.protocolVersion === protocolVersion) return
    golden = { protocolVersion, bytes: now }
    writeFileSync(file, `${JSON.stringify(golden, null, 2)}\n`)
  })

  it('is the same as long as protocolVersion is the same', () => {
    const found = advice(golden, protocolVersion, now)
    if (found !== undefined) expect.fail(found)
  })

  it('cannot change without a word that says what to do', () => {
    const changed = { ...now, 'message ping': '00' }
    expect(advice(golden, protocolVersion, changed))
      .to.include('raise protocolVersion in runtime/protocol/version.ts')
      .and.to.include(command)
      .and.to.include('message ping\n  was ')
    expect(advice(golden, protocolVersion, { ...now, 'message another': '00' })).to.include('was not there')
    expect(advice(golden, protocolVersion + 1, now)).to.include(command)
  })

  it('is looked at for every kind of message, every tag of values and every form of code', () => {
    const kinds = Object.keys(MessageType)
    expect(Object.keys(now).filter((name) => name.startsWith('message '))).to.have.members(
      kinds.map((kind) => `message ${kind}`),
    )
    for (const kind of kinds) {
      // A frame: two lengths, then lists of at most 15 items that begin with their type.
      const frame = Buffer.from(now[`message ${kind}`] as string, 'hex')
      expect(frame[9]! & 0xf0, kind).equal(0x90)
      expect(frame[10], kind).equal(MessageType[kind as keyof typeof MessageType])
    }
    for (const [name, byte] of Object.entries(tag)) {
      if (name === 'refused' || name === 'code') continue
      const first = name === 'shortString' ? byte + 'short, é'.length : byte
      expect([...Buffer.from(now[`value ${name}`] as string, 'hex')], `a value with ${name}`).to.include(first)
    }
    for (const [name, number] of Object.entries(form))
      expect(now[`code ${name}`], name).to.include(Buffer.of(tag.code, number).toString('hex'))
  })
})

describe('the beginning of a hello and of its answer', () => {
  // Processes of different protocols read this much of each other, to say that they are.
  const magic = Buffer.from('outpool\0').toString('hex')
  const version = protocolVersion.toString(16).padStart(4, '0')

  it('is the same in all protocols', () => {
    const local = hello('node')
    const said = encodeHello({ from: peerHello(local), to: 'any', channel: 'control' }, 'a token')
    expect(said.toString('hex', 0, 10)).equal(magic + version)
    expect(said.length - (8 + 2 + 32 + 4)).equal(said.readUInt32BE(8 + 2 + 32))
    const answer = encodeRefusal({ code: 'protocol-version', reason: 'why' })
    const body = Buffer.from('{"code":"protocol-version","reason":"why"}')
    expect(answer.toString('hex')).equal(
      `${magic}${version}01${body.length.toString(16).padStart(8, '0')}${body.toString('hex')}`,
    )
    expect(subprotocol).equal(`outpool.v${protocolVersion}`)
  })
})
