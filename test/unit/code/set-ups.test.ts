import { expect } from 'chai'
import type { ExpressionStatement } from 'acorn'
import { FileBindings } from '../../../runtime/code/analysis/file-bindings.ts'
import { setUpBy } from '../../../runtime/code/analysis/set-ups.ts'
import { parseProgram } from '../../../runtime/code/parse-function.ts'

describe('statements that set up a package', () => {
  const told = (text: string): string | undefined => {
    const [statement] = parseProgram(text, 'module').body
    const found = setUpBy((statement as ExpressionStatement).expression)
    return found && `${found.root.name} ${found.how}`
  }
  const cases: Readonly<Record<string, string | undefined>> = {
    'Decimal.set({ precision: 50 })': 'Decimal set()',
    'dayjs.extend(utc).extend(timezone)': 'dayjs extend()',
    "moment.locale('fr')": 'moment locale()',
    "Handlebars.registerHelper('twice', twice)": 'Handlebars registerHelper()',
    'axios.defaults.timeout = 100': 'axios timeout',
    "axios['defaults'].timeout = 100": 'axios timeout',
    'counters.seen += 1': 'counters seen',
    'await i18n.use(backend).init({})': 'i18n init()',
    'z?.setErrorMap?.(map)': 'z setErrorMap()',
    'math.import({ twice })': undefined,
    '_.each(list, print)': undefined,
    'settings.get()': undefined,
    'address.settle()': undefined,
    'set(1)': undefined,
    'total = 3': undefined,
    'made().set(1)': 'made set()',
    "extensions.push('.md')": 'extensions push()',
    'this.rate = 3': undefined,
    '(a, b).set(1)': undefined,
  }
  for (const [text, wanted] of Object.entries(cases)) {
    it(`${wanted === undefined ? 'are not' : 'are'}: ${text}`, () => {
      expect(told(text)).to.equal(wanted)
    })
  }

  const ofFile = (lines: readonly string[]): unknown => {
    const text = ["import kit from 'kit'", ...lines].join('\n')
    const found = new FileBindings(text, true).setUpOf(text.indexOf('() => {'), 'kit')
    return found && `${found.line} ${found.how}`
  }
  const used = 'const fn = () => { return kit.made() }'

  it('count for a function that captures the package, wherever they stand', () => {
    expect(ofFile(['kit.use(a)', used])).to.equal('2 use()')
    expect(ofFile([used, 'async function main() {', '  await kit.init()', '}'])).to.equal('4 init()')
    expect(ofFile([used, 'kit.get()'])).to.equal(undefined)
    expect(ofFile([used, 'function other(kit) {', '  kit.use(a)', '}'])).to.equal(undefined)
  })

  it('do not where the function does it itself, or the same is done twice, as in an initializer', () => {
    expect(ofFile(['kit.use(a)', 'const fn = () => { kit.use(a); return kit.made() }'])).to.equal(undefined)
    expect(ofFile(['kit.use(a)', 'const initializer = () => void kit.use(a)', used])).to.equal(undefined)
    expect(ofFile(['kit.use(a)', 'kit.locale(b)', 'const initializer = (c) => kit.use(c)', used])).to.equal(
      '3 locale()',
    )
  })
})
