/** esbuild's loader "binary" makes a module of a .wasm file whose default export is its bytes. */
declare module "*.wasm" {
  const bytes: Uint8Array;
  export default bytes;
}

/** esbuild's loader "text" makes a module of a file whose default export is its text. */
declare module "*.css" {
  const text: string;
  export default text;
}
declare module "worker-source" {
  const text: string;
  export default text;
}
