import { expect } from 'chai'
import { decodeDefinition, moduleExport } from '../../../runtime/code/function-source.ts'
import { isOwnModule, localUrl, portableUrl } from '../../../runtime/code/own-modules.ts'
import { loadFunction } from '../../../runtime/code/load.ts'

const ids = new URL('../../../runtime/base/ids.ts', import.meta.url).href

describe('runtime/code/own-modules', () => {
  it('names a module of the package by its place in it, so that every node finds its own', async () => {
    const definition = decodeDefinition(moduleExport(ids, 'isProcessId').bytes)
    expect(definition.source).to.deep.equal({
      kind: 'module',
      url: 'outpool:runtime/base/ids.ts',
      exportName: 'isProcessId',
    })
    const isProcessId = await loadFunction(definition)
    expect(isProcessId('0123456789abcdef')).to.equal(true)
  })

  it('leaves every other URL as it is, there and back', () => {
    for (const href of ['file:///srv/tasks.js', 'node:fs', new URL('../../tools/leaks.ts', import.meta.url).href]) {
      expect(portableUrl(href)).to.equal(href)
      expect(localUrl(href)).to.equal(href)
    }
  })

  it('knows no module above the root, outside its folders or with a strange path', () => {
    for (const path of ['../x.js', 'lib/../../x.js', 'node_modules/x.js', 'lib/x.sh', '/etc/passwd', '', 'lib//x.js']) {
      expect(isOwnModule(`outpool:${path}`), path).to.equal(false)
    }
  })
})
