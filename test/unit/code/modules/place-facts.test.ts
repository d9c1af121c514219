import { expect } from 'chai'
import {
  importsExpression,
  mentionsPlace,
  namesItself,
  reachesBeside,
  withMadePaths,
  withPlace,
} from '../../../../runtime/code/modules/place-facts.ts'

describe('what a text says about its own place', () => {
  const beside: readonly string[] = [
    "readFileSync(new URL('./data.json', import.meta.url))",
    "new Worker(new URL('./w.js', import.meta.url))",
    'const require = createRequire(import.meta.url)',
    'const here = path.dirname(fileURLToPath(import.meta.url))',
    "fs.readFileSync(path.join(__dirname, 'x.wasm'))",
    "const file = __dirname + '/x'",
    'const file = `${__dirname}/x`',
    "join(import.meta.dirname, 'x')",
    "import.meta.resolve('./x.js')",
    "require.resolve('./x')",
  ]
  for (const text of beside) {
    it(`sees that it reaches for something beside it: ${text}`, () => {
      expect(mentionsPlace(text)).to.equal(true)
      expect(reachesBeside(`\n\n${text}`)).to.have.property('line', 3)
    })
  }

  const alone: readonly string[] = [
    'if (process.argv[1] === __filename) main()',
    'console.log(import.meta.url)',
    'export const here = import.meta.url',
  ]
  for (const text of alone) {
    it(`sees that it only names its place: ${text}`, () => {
      expect(mentionsPlace(text)).to.equal(true)
      expect(reachesBeside(text)).to.equal(undefined)
    })
  }

  it('sees that it may name itself to a module of ours, and not where it only compares or looks at its place', () => {
    const imported = "import { remote } from 'outpool'\n"
    for (const text of [
      "remote(import.meta.url, 'f')",
      "const here = import.meta.url; remote(here, 'f')",
      'workerpool.pool(__filename)',
      'pools.map((pool) => pool(0,__filename))',
    ])
      expect(namesItself(`${imported}${text}`), text).to.have.property('line', 2)
    for (const text of [
      'if (process.argv[1] === __filename) main()',
      'if (import.meta.url == url.pathToFileURL(process.argv[1]).href) main()',
      "import.meta.url.startsWith('file:')",
      "const { version } = require('./package.json')",
      'const filename = options.__filename',
    ])
      expect(namesItself(`${imported}${text}`), text).to.equal(undefined)
    expect(namesItself("log(import.meta.url, 'f')")).to.equal(undefined)
  })

  it('sees paths that are made at run time, and writes them so that they stay', () => {
    const rows: readonly (readonly [string, string])[] = [
      ['await import(`./a/${b}.js`)', 'await import(__outpool_text`./a/${b}.js`)'],
      ["require('./a/' + b)", "require((0,'./a/') + b)"],
      ['import( "./a/"+ b)', 'import( (0,"./a/")+ b)'],
    ]
    for (const [text, left] of rows) {
      expect(importsExpression(`\n${text}`)).to.have.property('line', 2)
      expect(withMadePaths(text).endsWith(left), withMadePaths(text)).to.equal(true)
    }
    for (const text of ["import('./a.js')", 'import(`./a.js`)', "require('a')", "import x from './y'"])
      expect([importsExpression(text), withMadePaths(text)]).to.deep.equal([undefined, text])
  })

  it('keeps lines, strictness and a first line for the system when it adds the place', () => {
    const place = { url: 'file:///a/b.js', dirname: '/a', filename: '/a/b.js' }
    const added = withPlace("#!/usr/bin/env node\n'x'", place)
    expect(added.split('\n')).to.have.length(2)
    expect(added.split('\n')[0]).to.match(/^var .*;\/\/#!\/usr\/bin\/env node$/)
    expect(withPlace("// hello\n'use strict'\nx", place)).to.match(/^'use strict';var /)
    expect(withPlace('x', place)).to.match(/^var __outpool_url="file:\/\/\/a\/b\.js",/)
  })
})
