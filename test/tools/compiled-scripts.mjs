/**
 * What becomes of the chunks of dist/ when they are bundled, for the sake of a fast start: the larger ones are scripts,
 * which `runtime/base/compiled-script.ts` runs with the bytecode that an earlier process kept, and none imports modules
 * of Node by `import`.
 */
import { isBuiltin } from 'node:module'
import { basename } from 'node:path'
import { isLazyChunk } from './lazy-chunks.mjs'

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

/** Parts of Node that are not loaded when it starts, and that few processes need; by how they are called in scripts. */
const lazyBuiltins = new Map(
  ['crypto', 'fs/promises', 'http', 'inspector', 'module', 'perf_hooks', 'v8', 'vm', 'worker_threads', 'zlib'].map(
    (name) => [`node:${name}`, name.replace('/', '_')],
  ),
)

/**
 * Names of `code` that a lazy chunk or such a part of Node exports become properties of an object, which loads it when
 * one is read.
 */
async function withLazyImports(code, tree, lazyFiles, transform) {
  const isLazy = ({ type, source }) =>
    type === 'ImportDeclaration' && (lazyFiles.has(source.value) || lazyBuiltins.has(source.value))
  const imports = tree.body.filter(isLazy)
  if (imports.length === 0) return code
  const define = {}
  const opening = new Set()
  for (const { source, specifiers } of imports) {
    const { name, bodyName } = lazyFiles.get(source.value) ?? { name: lazyBuiltins.get(source.value) }
    const holder = `${name}Later`
    for (const { imported, local } of specifiers)
      define[local.name] = imported === undefined ? holder : `${holder}.${imported.name}`
    const place = bodyName === undefined ? source.value : `./${bodyName}`
    opening.add(`let ${holder} = outpoolScripts.later(${JSON.stringify(place)}, (loaded) => (${holder} = loaded));`)
  }
  const rest = edited(
    code,
    imports.map((node) => [node.start, node.end, '']),
  )
  const { code: replaced } = await transform(rest, { target: 'node20', charset: 'ascii', define })
  return `${[...opening].join('\n')}\n${replaced}`
}

/**
 * A module as a function expression, which V8 can keep compiled, and the module that runs it. What it imports is read
 * once, at its begin, so an exported variable may not change, and only lazy chunks may be part of a circle. `scriptOf`
 * names the scripts among what is imported.
 */
function splitModule(code, tree, bodyName, loaderName, scriptOf) {
  const edits = []
  const sources = []
  const modules = []
  const exported = []
  const opening = []
  for (const node of tree.body) {
    if (node.type === 'ImportDeclaration') {
      edits.push([node.start, node.end, ''])
      if (isBuiltin(node.source.value)) {
        opening.push(...fromNode(node))
        continue
      }
      const script = scriptOf(node.source.value)
      const from = script === undefined ? `imports[${modules.length}]` : `outpoolScripts.now(${JSON.stringify(script)})`
      for (const { type, imported, local } of node.specifiers) {
        if (type === 'ImportNamespaceSpecifier') opening.push(`const ${local.name} = ${from};`)
        else opening.push(`const { ${imported?.name ?? 'default'}: ${local.name} } = ${from};`)
      }
      sources.push(script === undefined ? `* as i${modules.length} from ${node.source.raw}` : node.source.raw)
      if (script === undefined) modules.push(node.source.value)
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
  const places = exported.map(({ name }, index) => `${name}: e${index}`)
  return {
    modules,
    body: [
      "(function (imports, importMore, outpoolRoot, outpoolScripts) {'use strict';",
      ...opening,
      edited(code, edits),
      `return { ${exported.map(({ local, name }) => `${name}: ${local}`).join(', ')} };`,
      '})',
      '',
    ].join('\n'),
    module: [
      ...sources.map((source) => `import ${source};`),
      `import { runCompiled } from '../${loaderName}';`,
      `const url = new URL('./${bodyName}', import.meta.url).href;`,
      `const { ${places.join(', ')} } = runCompiled(url, [${modules.map((_, index) => `i${index}`).join(', ')}], (name) => import(name));`,
      `export { ${exported.map(({ name }, index) => `e${index} as ${name}`).join(', ')} };`,
      '',
    ].join('\n'),
  }
}

/** The larger chunks in the form of `runtime/base/compiled-script.ts`, and no import of a module of Node in any. */
export function compiledScripts(loader, transform) {
  return {
    name: 'compiled-scripts',
    async generateBundle(_options, output) {
      const chunks = Object.values(output)
      const ofLoader = chunks.find(({ moduleIds }) => moduleIds.some((id) => id.endsWith(loader)))
      const isScript = (chunk) => !chunk.isEntry && (chunk.code.length >= keptFromBytes || isLazyChunk(chunk.name))
      // As scripts import each other: all are in one folder.
      const scripts = new Map()
      for (const chunk of chunks.filter(isScript))
        scripts.set(`./${basename(chunk.fileName)}`, {
          chunk,
          name: chunk.name,
          bodyName: `${basename(chunk.fileName, '.js')}.body.js`,
        })
      const lazyFiles = new Map([...scripts].filter(([, { name }]) => isLazyChunk(name)))
      const scriptOf = (source) => {
        if (source === `../${ofLoader.fileName}`) return source
        const script = scripts.get(source)
        return script && `./${script.bodyName}`
      }
      for (const chunk of chunks) if (!isScript(chunk)) chunk.code = withBuiltins(chunk.code, this.parse(chunk.code))
      for (const { chunk, name, bodyName } of scripts.values()) {
        const whole = chunk.code.replace(rootOfDist, '')
        const code = await withLazyImports(whole, this.parse(whole), lazyFiles, transform)
        const { body, module, modules } = splitModule(code, this.parse(code), bodyName, ofLoader.fileName, scriptOf)
        // It is loaded at once, and modules cannot be.
        if (isLazyChunk(name) && modules.length > 0) throw new Error(`${bodyName} imports ${modules.join(', ')}`)
        chunk.code = module
        this.emitFile({ type: 'asset', fileName: `chunks/${bodyName}`, source: body })
      }
    },
  }
}
