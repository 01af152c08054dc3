/** esbuild's loader "binary" makes a module of a .wasm file whose default export is its bytes. */
declare module "*.wasm" {
  const bytes: Uint8Array;
  export default bytes;
}

/** The built worker, as text; `build.mjs` makes this module. */
declare module "worker-source" {
  const text: string;
  export default text;
}
