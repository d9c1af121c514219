/**
 * What becomes of the chunks of dist/ when they are bundled, for the sake of a fast start: the larger ones are scripts,
 * which `runtime/base/compiled-script.ts` runs with the bytecode that an earlier process kept, and none imports modules
 * of Node by `import`.
 */
import { isBuiltin } from 'node:module'
import { basename } from 'node:path'

const keptFromBytes = 30_000
/** The first line of each chunk. */
export const rootOfDist = "const outpoolRoot = import.meta.url.slice(0, import.meta.url.lastIndexOf('/dist/') + 6);"

/** Calls `see` for each node of a tree. */
function walk(node, see) {
  if (Array.isArray(node)) for (const each of node) walk(each, see)
  else if (typeof node?.type === 'string') {
    see(node)
    for (const value of Object.values(node)) if (typeof value === 'object') walk(value, see)
  }
}

/**
 * `const` statements for what a module imports from Node itself: to import those as modules costs a process some 10 ms,
 * since Node then reads each of their exports, getters too.
 */
function fromNode({ source, specifiers }) {
  const module = `globalThis.process.getBuiltinModule(${source.raw})`
  const named = specifiers.filter(({ type }) => type === 'ImportSpecifier')
  const whole = specifiers.filter(({ type }) => type !== 'ImportSpecifier')
  const names = named.map(({ imported, local }) => `${imported.name}: ${local.name}`).join(', ')
  return [...whole.map(({ local }) => local.name), ...(names === '' ? [] : [`{ ${names} }`])].map(
    (pattern) => `const ${pattern} = ${module};`,
  )
}

/** Replaces parts of `code`: `[start, end, text]` each. */
function edited(code, edits) {
  let result = code
  for (const [start, end, text] of edits.toSorted(([a], [b]) => b - a))
    result = result.slice(0, start) + text + result.slice(end)
  return result
}

function withBuiltins(code, tree) {
  const imports = tree.body.filter(({ type, source }) => type === 'ImportDeclaration' && isBuiltin(source.value))
  return edited(
    code,
    imports.map((node) => [node.start, node.end, fromNode(node).join(' ')]),
  )
}

/**
 * A module as a function expression, which V8 can keep compiled, and the module that runs it. What it imports is read
 * once, at its begin, so neither may the chunks import each other in a circle nor may an exported variable change.
 */
function splitModule(code, tree, bodyName, loaderName) {
  const edits = []
  const sources = []
  const exported = []
  const opening = []
  for (const node of tree.body) {
    if (node.type === 'ImportDeclaration') {
      edits.push([node.start, node.end, ''])
      if (isBuiltin(node.source.value)) {
        opening.push(...fromNode(node))
        continue
      }
      for (const { type, imported, local } of node.specifiers) {
        if (type === 'ImportNamespaceSpecifier') opening.push(`const ${local.name} = imports[${sources.length}];`)
        else opening.push(`const { ${imported?.name ?? 'default'}: ${local.name} } = imports[${sources.length}];`)
      }
      sources.push(node.source.raw)
    } else if (node.type === 'ExportNamedDeclaration' && node.declaration === null && node.source === null) {
      edits.push([node.start, node.end, ''])
      exported.push(...node.specifiers.map(({ local, exported: { name } }) => ({ local: local.name, name })))
    } else if (node.type.startsWith('Export')) throw new Error(`${bodyName}: ${node.type} at ${node.start}`)
  }
  const locals = new Set(exported.map(({ local }) => local))
  walk(tree, (node) => {
    if (node.type === 'ImportExpression') edits.push([node.start, node.start + 'import'.length, 'importMore'])
    const changed = node.type === 'AssignmentExpression' ? node.left : node.argument
    if (/^(?:Assignment|Update)Expression$/.test(node.type) && locals.has(changed.name))
      throw new Error(`${bodyName}: the exported variable ${changed.name} changes`)
  })
  const names = exported.map((_, index) => `e${index}`)
  const modules = sources.map((_, index) => `i${index}`)
  return {
    body: [
      "(function (imports, importMore, outpoolRoot) {'use strict';",
      ...opening,
      edited(code, edits),
      `return [${exported.map(({ local }) => local).join(', ')}];`,
      '})',
      '',
    ].join('\n'),
    module: [
      ...sources.map((source, index) => `import * as ${modules[index]} from ${source};`),
      `import { runCompiled } from '../${loaderName}';`,
      `const url = new URL('./${bodyName}', import.meta.url).href;`,
      `const [${names.join(', ')}] = runCompiled(url, [${modules.join(', ')}], (name) => import(name));`,
      `export { ${exported.map(({ name }, index) => `${names[index]} as ${name}`).join(', ')} };`,
      '',
    ].join('\n'),
  }
}

/** The larger chunks in the form of `runtime/base/compiled-script.ts`, and no import of a module of Node in any. */
export function compiledScripts(loader) {
  return {
    name: 'compiled-scripts',
    generateBundle(_options, output) {
      const ofLoader = Object.values(output).find(({ moduleIds }) => moduleIds.some((id) => id.endsWith(loader)))
      for (const chunk of Object.values(output)) {
        if (chunk.isEntry || chunk.code.length < keptFromBytes) {
          chunk.code = withBuiltins(chunk.code, this.parse(chunk.code))
          continue
        }
        const bodyName = `${basename(chunk.fileName, '.js')}.body.js`
        const code = chunk.code.replace(rootOfDist, '')
        const { body, module } = splitModule(code, this.parse(code), bodyName, ofLoader.fileName)
        chunk.code = module
        this.emitFile({ type: 'asset', fileName: `chunks/${bodyName}`, source: body })
      }
    },
  }
}
