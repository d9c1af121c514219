/**
 * What becomes of the chunks of dist/ when they are bundled, for the sake of a fast start: those that import no packages
 * are scripts, which `runtime/base/compiled-script.ts` runs at once with the bytecode that an earlier process kept, where
 * Node would take a millisecond for each file that is a module; and none imports modules of Node by `import`.
 */
import { createHash } from 'node:crypto'
import { isBuiltin } from 'node:module'
import { basename, dirname, join, relative } from 'node:path/posix'

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

/** A `const` statement for what an `import` or `export from` names of a module, of which `whole` is what it exports. */
function constantsOf({ type, specifiers, source }, whole) {
  const isWhole = (each) =>
    each.type === 'ImportNamespaceSpecifier' || (each.type === 'ImportDefaultSpecifier' && isBuiltin(source.value))
  const nameOf = ({ type, imported, local, exported }) =>
    type === 'ExportSpecifier' ? `${local.name}: ${exported.name}` : `${imported?.name ?? 'default'}: ${local.name}`
  const names = specifiers.filter((each) => !isWhole(each)).map(nameOf)
  const patterns = specifiers.filter(isWhole).map(({ local }) => local.name)
  if (names.length > 0) patterns.push(`{ ${names.join(', ')} }`)
  const declare = type === 'ImportDeclaration' ? 'const' : 'export const'
  return patterns.map((pattern) => `${declare} ${pattern} = ${whole};`).join(' ')
}

/** To import parts of Node as modules costs a process some 10 ms: Node then reads each of their exports, getters too. */
const partOfNode = ({ raw }) => `globalThis.process.getBuiltinModule(${raw})`

/** Replaces parts of `code`: `[start, end, text]` each. */
function edited(code, edits) {
  let result = code
  for (const [start, end, text] of edits.toSorted(([a], [b]) => b - a))
    result = result.slice(0, start) + text + result.slice(end)
  return result
}

/** Parts of Node that are not loaded when it starts, and that few processes need; by how they are called in scripts. */
const lazyBuiltins = new Map(
  [
    'child_process',
    'crypto',
    'fs/promises',
    'http',
    'inspector',
    'module',
    'net',
    'os',
    'perf_hooks',
    'v8',
    'vm',
    'worker_threads',
    'zlib',
  ].map((name) => [`node:${name}`, name.replace('/', '_')]),
)

/**
 * Names of `code` that a script which is loaded later or such a part of Node exports become properties of an object, which
 * loads it when one is read. Where a module is imported as a whole it may be called or changed, and is loaded at once.
 */
async function withLazyImports(code, tree, laterOf, transform) {
  const holderOf = ({ value }) => laterOf(value)?.name ?? lazyBuiltins.get(value)
  const isLazy = ({ type, source, specifiers }) =>
    type === 'ImportDeclaration' &&
    holderOf(source) !== undefined &&
    specifiers.every((each) => each.type === 'ImportSpecifier')
  const imports = tree.body.filter(isLazy)
  if (imports.length === 0) return code
  const define = {}
  const opening = new Set()
  for (const { source, specifiers } of imports) {
    const holder = `${holderOf(source).replaceAll('-', '_')}Later`
    for (const { imported, local } of specifiers) define[local.name] = `${holder}.${imported.name}`
    const place = laterOf(source.value)?.script ?? source.value
    opening.add(`let ${holder} = outpoolScripts.later(${JSON.stringify(place)}, (loaded) => (${holder} = loaded));`)
  }
  const rest = edited(
    code,
    imports.map((node) => [node.start, node.end, '']),
  )
  const { code: replaced } = await transform(rest, { target: 'node20', charset: 'ascii', define })
  return `${[...opening].join('\n')}\n${replaced}`
}

/** `edits` for what a chunk takes of Node and of scripts. `scriptOf` names a script by the file of its chunk. */
function importEdits(tree, scriptOf) {
  const edits = []
  for (const node of tree.body) {
    if (!node.source) continue
    const script = scriptOf(node.source.value)
    if (script === undefined && !isBuiltin(node.source.value)) continue
    const whole = script === undefined ? partOfNode(node.source) : `outpoolScripts.now(${JSON.stringify(script)})`
    edits.push([node.start, node.end, constantsOf(node, whole)])
  }
  walk(tree, ({ type, start, end, source }) => {
    const script = type === 'ImportExpression' ? scriptOf(source.value) : undefined
    if (script !== undefined) edits.push([start, end, `outpoolScripts.soon(${JSON.stringify(script)})`])
  })
  return edits
}

/** A module that takes what it imports of scripts from them; `together`: the script with those that it loads at once. */
function asModule(code, tree, scriptOf, loader, together) {
  const rest = edited(code, importEdits(tree, scriptOf))
  if (!rest.includes('outpoolScripts')) return rest
  const opening = `import { scriptsOf } from '${loader}';\nconst outpoolScripts = scriptsOf(import.meta.url);${together}`
  return rest.replace(rootOfDist, (first) => `${first}\n${opening}`)
}

/**
 * A function expression, which V8 can keep compiled. Others read what it exports once, so an exported variable may not
 * change, and only what is loaded later may be part of a circle.
 */
function asScript(code, tree, scriptOf, fileName) {
  const edits = importEdits(tree, scriptOf)
  const exported = []
  for (const node of tree.body) {
    if (!node.type.startsWith('Export')) continue
    if (node.type !== 'ExportNamedDeclaration' || node.declaration !== null || node.source !== null)
      throw new Error(`${fileName}: ${node.type} at ${node.start}`)
    edits.push([node.start, node.end, ''])
    exported.push(...node.specifiers.map(({ local, exported: { name } }) => ({ local: local.name, name })))
  }
  const locals = new Set(exported.map(({ local }) => local))
  walk(tree, (node) => {
    if (node.type === 'ImportExpression' && scriptOf(node.source.value) === undefined)
      edits.push([node.start, node.start + 'import'.length, 'outpoolScripts.more'])
    const changed = node.type === 'AssignmentExpression' ? node.left : node.argument
    if (/^(?:Assignment|Update)Expression$/.test(node.type) && locals.has(changed.name))
      throw new Error(`${fileName}: the exported variable ${changed.name} changes`)
  })
  return [
    "(function (outpoolRoot, outpoolScripts) {'use strict';",
    edited(code, edits),
    `return { ${exported.map(({ local, name }) => `${name}: ${local}`).join(', ')} };`,
    '})',
    '',
  ].join('\n')
}

/** Of the copy of the loader in a CommonJS script: what it would export. */
function asFunction(code, parse) {
  const own = code.slice(code.indexOf(rootOfDist) + rootOfDist.length)
  const tree = parse(own)
  const edits = importEdits(tree, () => undefined)
  for (const node of tree.body) {
    if (node.type !== 'ExportNamedDeclaration') continue
    const names = node.specifiers.map(({ local, exported: { name } }) => `${name}: ${local.name}`)
    edits.push([node.start, node.end, `return { ${names.join(', ')} };`])
  }
  return `(() => {\n${edited(own, edits)}\n})()`
}

/**
 * A CommonJS script that brings its own loader, for processes that are started by path: Node then does not load what ES
 * modules take, some milliseconds of each start. To the code that such a process is given, it has no main module.
 */
function asCommonJs(code, parse, scriptOf, fileName, loader, together) {
  const tree = parse(code)
  const edits = importEdits(tree, scriptOf)
  for (const node of tree.body) {
    const isLoader = node.source && join(dirname(fileName), String(node.source.value)) === loader.fileName
    if (isLoader) edits.push([node.start, node.end, constantsOf(node, 'outpoolLoader')])
  }
  const result = [
    "'use strict';",
    'if (require.main === module) process.mainModule = undefined;',
    'delete require.cache[__filename];',
    // Asked to make a URL of most paths, Node takes a millisecond, and gives what they say.
    "const ownPlace = /^\\/[\\w/.@+-]+$/.test(__filename) ? 'file://' + __filename : require('node:url').pathToFileURL(__filename).href;",
    rootOfDist.replaceAll('import.meta.url', 'ownPlace'),
    `const outpoolLoader = process[Symbol.for('outpool:scripts:' + outpoolRoot)] ?? ${asFunction(loader.code, parse)};`,
    `const outpoolScripts = outpoolLoader.scriptsOf(ownPlace);${together}`,
    // Its names are not those of the loader.
    `{${edited(code, edits).replace(rootOfDist, '')}}`,
  ].join('\n')
  // It is no module any more: neither of its own, nor to be imported from.
  if (/\bimport\.meta\b|^(?:import|export)\b/m.test(result)) throw new Error(`${fileName} is still a module`)
  return result
}

/** The chunks that can be scripts, by file: these import nothing but each other, parts of Node and the loader. */
function scriptsAmong(chunks, loader) {
  const scripts = new Map(chunks.filter(({ isEntry }) => !isEntry).map((chunk) => [chunk.fileName, chunk]))
  const isPossible = ({ imports }) => imports.every((name) => scripts.has(name) || name === loader || isBuiltin(name))
  for (let before = 0; before !== scripts.size;) {
    before = scripts.size
    for (const [name, chunk] of scripts) if (!isPossible(chunk)) scripts.delete(name)
  }
  return scripts
}

/** The scripts that are loaded when one of `chunks` is. */
function loadedWith(chunks, scripts, isLater) {
  const found = new Set()
  const open = [...chunks]
  for (let chunk = open.pop(); chunk !== undefined; chunk = open.pop()) {
    if (scripts.has(chunk.fileName)) found.add(chunk.fileName)
    for (const name of chunk.imports)
      if (scripts.has(name) && !found.has(name) && !isLater(scripts.get(name).name, chunk.fileName))
        open.push(scripts.get(name))
  }
  return [...found].toSorted((a, b) => (a < b ? -1 : 1))
}

/**
 * The scripts with which a process begins as one: to read, compile and keep each by itself costs a start a third of a
 * millisecond, and what V8 has for small new texts is room that it would collect garbage for before the first result.
 */
function asOne(bodies) {
  const parts = bodies.map(([name, source]) => `${JSON.stringify(name)}: ${source.trimEnd()},`)
  return `({\n${parts.join('\n')}\n})\n`
}

/**
 * Makes scripts of chunks; `isLater` says by a chunk's name whether it is loaded when something of it is first used,
 * `commonJs` names the entries that become CommonJS scripts, and `starts`, by entry, the script with those that processes
 * begin with, and what these load soon.
 */
export function compiledScripts(loaderModule, isLater, transform, commonJs, starts) {
  return {
    name: 'compiled-scripts',
    async generateBundle(_options, output) {
      const chunks = Object.values(output)
      const loaderChunk = chunks.find(({ moduleIds }) => moduleIds.some((id) => id.endsWith(loaderModule)))
      const { fileName: loader, code: loaderCode } = loaderChunk
      const scripts = scriptsAmong(chunks, loader)
      const lost = chunks.find(({ name, fileName }) => isLater(name) && !scripts.has(fileName))
      if (lost !== undefined) throw new Error(`${lost.fileName} cannot be loaded later: it imports ${lost.imports}`)
      const bodies = new Map()
      const togetherOf = (chunk) => {
        if (!Object.hasOwn(starts, chunk.fileName)) return ''
        const { name, soon } = starts[chunk.fileName]
        const others = [...scripts.values()].filter((script) => soon.includes(script.name))
        const parts = loadedWith([chunk, ...others], scripts, isLater).map((part) => [
          basename(bodyOf(part)),
          bodies.get(part),
        ])
        const source = asOne(parts)
        const hash = createHash('sha256').update(source).digest('base64url').slice(0, 8)
        const fileName = `chunks/${name}-${hash}.body.js`
        this.emitFile({ type: 'asset', fileName, source })
        return `\noutpoolScripts.together(${JSON.stringify(relative(dirname(chunk.fileName), fileName))});`
      }
      for (const chunk of chunks.toSorted((a, b) => scripts.has(b.fileName) - scripts.has(a.fileName))) {
        const folder = dirname(chunk.fileName)
        const chunkOf = (source) => scripts.get(join(folder, String(source)))
        const scriptOf = (source) => chunkOf(source) && bodyOf(source)
        if (commonJs.includes(chunk.fileName)) {
          const parse = (code) => this.parse(code)
          const { code, fileName } = chunk
          const source = asCommonJs(
            ...[code, parse, scriptOf, fileName, { fileName: loader, code: loaderCode }, togetherOf(chunk)],
          )
          this.emitFile({ type: 'asset', fileName: fileName.replace(/\.js$/, '.cjs'), source })
          delete output[fileName]
          continue
        }
        const laterOf = (source) => {
          const { name } = chunkOf(source) ?? {}
          return isLater(name, chunk.fileName) ? { name, script: bodyOf(source) } : undefined
        }
        const needsLater = chunk.imports.some((name) => isLater(scripts.get(name)?.name, chunk.fileName))
        const whole = chunk.code.replace(rootOfDist, '')
        if (!scripts.has(chunk.fileName)) {
          const place = relative(folder, loader)
          const path = place.startsWith('.') ? place : `./${place}`
          const lazy = async () => {
            const [start = ''] = /^#!.*\n/.exec(whole) ?? []
            const rest = whole.slice(start.length)
            return `${start}${rootOfDist}\n${await withLazyImports(rest, this.parse(rest), laterOf, transform)}`
          }
          const code = needsLater ? await lazy() : chunk.code
          chunk.code = asModule(code, this.parse(code), scriptOf, path, togetherOf(chunk))
          continue
        }
        const code = await withLazyImports(whole, this.parse(whole), laterOf, transform)
        const nowOf = (source) => (join(folder, String(source)) === loader ? source : scriptOf(source))
        const source = asScript(code, this.parse(code), nowOf, chunk.fileName)
        bodies.set(chunk.fileName, source)
        this.emitFile({ type: 'asset', fileName: bodyOf(chunk.fileName), source })
        delete output[chunk.fileName]
      }
    },
  }
}

const bodyOf = (fileName) => fileName.replace(/\.js$/, '.body.js')
