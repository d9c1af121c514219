import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuthenticationError, OutpoolError } from '../../../runtime/base/errors.ts'
import { defaultTokenFile, findToken, readRing, writeTokenFile } from '../../../runtime/cluster/token.ts'

describe('findToken', () => {
  let folder: string
  const home = (): string => join(folder, 'home')
  const environment = (more: Record<string, string> = {}): Record<string, string> => ({ OUTPOOL_HOME: home(), ...more })
  const file = (name: string, text: string, mode = 0o600): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'token-'))))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('takes the variable first, then the file that is named, then the default file', () => {
    mkdirSync(home())
    file('home/token', 'from-the-default-file\n')
    const named = file('named', '  from-the-named-file\n')
    const all = environment({ OUTPOOL_TOKEN: 'from-the-variable', OUTPOOL_TOKEN_FILE: named })
    expect(findToken({ environment: all })).to.include({ token: 'from-the-variable', source: 'OUTPOOL_TOKEN' })
    const two = environment({ OUTPOOL_TOKEN_FILE: named })
    expect(findToken({ environment: two })).to.include({ token: 'from-the-named-file', source: named })
    const one = { token: 'from-the-default-file', source: join(home(), 'token'), made: false }
    expect(findToken({ environment: environment() })).to.include({ ...one, file: one.source })
  })

  it('takes a variable that ends with a line break, as a secret does that was made by echo', () => {
    const token = 'x'.repeat(40)
    for (const end of ['\n', '\r\n', '\r'])
      expect(findToken({ environment: environment({ OUTPOOL_TOKEN: `${token}${end}` }) }).token).to.equal(token)
  })

  it('takes two lines of a file: the token to show, and one that is accepted too', () => {
    const named = file('named', 'the-first-of-two-lines\n\n  the-second-of-two-lines\n')
    const { token, ring } = findToken({ environment: environment({ OUTPOOL_TOKEN_FILE: named }) })
    expect(token).to.equal('the-first-of-two-lines')
    expect(ring).to.deep.equal({ shown: token, accepted: [token, 'the-second-of-two-lines'] })
    expect(readRing(named)).to.deep.equal(ring)
  })

  it('replaces what a file holds as a whole, and leaves nothing beside it', () => {
    const named = file('named', 'the-token-from-before\n')
    const ring = { shown: 'the-token-from-now-on', accepted: ['the-token-from-before', 'the-token-from-now-on'] }
    writeTokenFile(named, ring)
    expect(readFileSync(named, 'utf8')).to.equal('the-token-from-now-on\nthe-token-from-before\n')
    expect(statSync(named).mode & 0o777).to.equal(0o600)
    expect(readdirSync(folder)).to.deep.equal(['named'])
  })

  it('makes the default file once, readable by its owner alone, and finds it again', () => {
    const first = findToken({ make: true, environment: environment() })
    expect(first.made).to.equal(true)
    expect(Buffer.from(first.token, 'base64url')).to.have.length(32)
    expect(statSync(first.source).mode & 0o777).to.equal(0o600)
    expect(statSync(home()).mode & 0o777).to.equal(0o700)
    expect(readFileSync(first.source, 'utf8').trim()).to.equal(first.token)
    expect(findToken({ make: true, environment: environment() })).to.deep.equal({ ...first, made: false })
  })

  const refused: [string, () => Record<string, string>, RegExp][] = [
    ['there is none', () => environment(), /OUTPOOL_TOKEN.*does not exist/],
    ['the named file is missing', () => environment({ OUTPOOL_TOKEN_FILE: '/nowhere/token' }), /nowhere/],
    [
      'others may read the file',
      () => environment({ OUTPOOL_TOKEN_FILE: file('t', 'x'.repeat(40), 0o644) }),
      /mode 644/,
    ],
    [
      'a group may read the file',
      () => environment({ OUTPOOL_TOKEN_FILE: file('t', 'x'.repeat(40), 0o640) }),
      /mode 640/,
    ],
    ['a folder is named', () => environment({ OUTPOOL_TOKEN_FILE: folder }), /is no file; name the file/],
    ['it is too short', () => environment({ OUTPOOL_TOKEN: 'short' }), /not a token/],
    ['it holds a line break', () => environment({ OUTPOOL_TOKEN: 'a token with blanks\nin it' }), /not a token/],
    [
      'its file has three lines',
      () => environment({ OUTPOOL_TOKEN_FILE: file('t', `${'x'.repeat(40)}\n`.repeat(3)) }),
      /3 lines/,
    ],
    [
      'a line of its file is none',
      () => environment({ OUTPOOL_TOKEN_FILE: file('t', `${'x'.repeat(40)}\nshort`) }),
      /not a token/,
    ],
    ['its file is empty', () => environment({ OUTPOOL_TOKEN_FILE: file('t', '') }), /not a token/],
  ]
  for (const [title, make, message] of refused)
    it(`refuses, and never shows the token, when ${title}`, () => {
      const from = make()
      expect(() => findToken({ environment: from }))
        .to.throw(AuthenticationError, message)
        .with.property('message')
        .that.does.not.contain('xxxxx')
    })

  it('says what to set where the folder of the default file cannot be made', () => {
    symlinkSync(join(folder, 'nowhere'), home())
    expect(() => findToken({ make: true, environment: environment() })).to.throw(OutpoolError, /set OUTPOOL_HOME/)
  })

  it('says what to do where the file cannot be written, as on a full disk, and leaves nothing', () => {
    // No file of this process may have a byte.
    const program = `
      import { findToken } from ${JSON.stringify(new URL('../../../runtime/cluster/token.ts', import.meta.url).href)}
      try { findToken({ make: true }) } catch (error) { console.log(error.name + ': ' + error.message) }`
    const { stdout, stderr } = spawnSync(
      'sh',
      ['-c', 'ulimit -f 0; exec "$0" "$@"', process.execPath, '--import=tsx', '--input-type=module', '-e', program],
      { env: { ...process.env, OUTPOOL_HOME: home(), TSX_DISABLE_CACHE: '1' }, encoding: 'utf8' },
    )
    expect(stdout, stderr).to.match(
      /^OutpoolError: the token file \S+home\/token cannot be written: EFBIG.*; make room in/,
    )
    expect(readdirSync(home())).to.deep.equal([])
  })

  it('looks for the default file in the folder of Outpool', () => {
    expect(defaultTokenFile({ XDG_CONFIG_HOME: '/x' })).to.equal('/x/outpool/token')
  })
})
