/** A type of Emscripten that the declarations of web-tree-sitter mention. */
interface EmscriptenModule {}
