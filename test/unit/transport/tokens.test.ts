import { createHmac } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { digestMatches, newLocalToken, tokenDigest, tokenMatches } from '../../../runtime/transport/token-digest.ts'
import { TokenFile } from '../../../runtime/transport/token-file.ts'
import { LearnedTokens, ringOf, shownToken } from '../../../runtime/transport/tokens.ts'
import type { TokenRing } from '../../../runtime/transport/tokens.ts'

const ring = (...tokens: readonly [string, ...string[]]): TokenRing => ({ shown: tokens[0], accepted: tokens })

describe('tokens', () => {
  it('fit when any of those that are accepted is shown; an empty one never does', () => {
    const source = { ring: ring('new', 'old') }
    expect(['new', 'old', '', 'other', 'newold'].map((shown) => tokenMatches(shown, source))).deep.equal([
      true,
      true,
      false,
      false,
      false,
    ])
    expect(tokenMatches('', '')).equal(false)
    expect(tokenMatches('', { ring: ring('', 'x') })).equal(false)
    expect(shownToken(source)).equal('new')
    expect(ringOf('fixed')).deep.equal(ring('fixed'))
  })

  it('of a cluster are shown as their digest, local ones as the random bytes that they are', () => {
    const digestOf = (token: string): Buffer => createHmac('sha256', token).update('outpool hello').digest()
    for (const token of ['secret', 'k\u00e9y '.repeat(40), 'local.', 'local.c2hvcnQ', `local.${'A'.repeat(44)}`])
      expect(tokenDigest(token), token).deep.equal(digestOf(token))
    const [local, other] = [newLocalToken(), newLocalToken()]
    expect(tokenDigest(local)).deep.equal(Buffer.from(local.slice('local.'.length), 'base64url'))
    expect(digestMatches(tokenDigest(local), local)).equal(true)
    expect(digestMatches(digestOf(local), local)).equal(false)
    expect(digestMatches(tokenDigest(local), other)).equal(false)
    expect(tokenMatches(local, local)).equal(true)
    expect(tokenMatches(local, other)).equal(false)
    expect(digestMatches(tokenDigest('old'), { ring: ring('new', 'old') })).equal(true)
    expect(digestMatches(tokenDigest(''), '')).equal(false)
  })

  it('are those that were learned, until their source has others', () => {
    const source = { ring: ring('old') }
    const tokens = new LearnedTokens(source)
    expect(tokens.ring).equal(source.ring)
    const learned = ring('old', 'new')
    tokens.learn(learned)
    expect(tokens.ring).equal(learned)
    source.ring = ring('new', 'old')
    expect(tokens.ring).deep.equal(ring('new', 'old'))
    tokens.learn(ring('new'))
    expect(tokens.ring).deep.equal(ring('new'))
    const fixed = new LearnedTokens('text')
    fixed.learn(learned)
    expect(fixed.ring).equal(learned)
  })
})

describe('tokens in a file', () => {
  let folder: string
  let path: string
  const read = (from: string): TokenRing => {
    const lines = readFileSync(from, 'utf8').trim().split('\n')
    if (lines[0] === '') throw new Error('empty')
    return ring(...(lines as [string]))
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tokens-'))
    path = join(folder, 'token')
    writeFileSync(path, 'one\n')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('are read again when the file changes or is replaced, and only then', () => {
    let reads = 0
    const file = new TokenFile(path, (from) => (reads++, read(from)))
    expect(file.ring).deep.equal(ring('one'))
    expect(file.ring).equal(file.ring)
    expect(reads).equal(1)
    // As long as what was there: only its place on the disk tells.
    writeFileSync(`${path}.new`, 'two\n')
    renameSync(`${path}.new`, path)
    expect(file.ring).deep.equal(ring('two'))
    writeFileSync(path, 'two\none\n')
    expect(file.ring).deep.equal(ring('two', 'one'))
    expect(reads).equal(3)
  })

  it('stay as they were while the file cannot be used, which is told once', () => {
    const problems: string[] = []
    const file = new TokenFile(path, read, (error) => problems.push(error.message))
    writeFileSync(path, '')
    expect([file.ring, file.ring]).deep.equal([ring('one'), ring('one')])
    rmSync(path)
    expect([file.ring, file.ring]).deep.equal([ring('one'), ring('one')])
    expect(problems).to.have.length(2)
    expect(problems[0]).equal('empty')
    expect(problems[1]).to.contain('ENOENT')
    writeFileSync(path, 'two\n')
    expect(file.ring).deep.equal(ring('two'))
    chmodSync(path, 0o640)
    expect(file.ring).deep.equal(ring('two'))
    expect(() => new TokenFile(join(folder, 'missing'), read)).to.throw('ENOENT')
  })
})
