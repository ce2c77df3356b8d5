// Loads the project's own classes without the members that the played plugin version does not have,
// so that scripts meet the same MissingPropertyException and ClassNotFoundException as on a real one.
package standin

import groovy.transform.CompileStatic
import groovyjarjarasm.asm.ClassReader
import groovyjarjarasm.asm.ClassWriter
import groovyjarjarasm.asm.tree.AnnotationNode
import groovyjarjarasm.asm.tree.ClassNode
import groovyjarjarasm.asm.tree.FieldNode
import groovyjarjarasm.asm.tree.MethodNode

@CompileStatic
class VersionLoader extends ClassLoader {
    private static final List<String> OURS = ['org.csanchez.', 'hudson.', 'jenkins.', 'io.jenkins.', 'standin.']
    private final String version

    VersionLoader(String version) {
        super(VersionLoader.classLoader)
        this.version = version
    }

    @Override protected Class<?> loadClass(String name, boolean resolve) {
        synchronized (getClassLoadingLock(name)) {
            findLoadedClass(name) ?: (OURS.any { name.startsWith(it) } ? define(name) : super.loadClass(name, resolve))
        }
    }

    private Class<?> define(String name) {
        InputStream stream = parent.getResourceAsStream("${name.replace('.', '/')}.class")
        if (stream == null) {
            throw new ClassNotFoundException(name)
        }
        ClassNode node = new ClassNode()
        stream.withStream { InputStream it -> new ClassReader(it).accept(node, 0) }
        if (foreign(node.visibleAnnotations as List<AnnotationNode>)) {
            throw new ClassNotFoundException(name)
        }
        strip(node)
        ClassWriter writer = new ClassWriter(0)
        node.accept(writer)
        byte[] code = writer.toByteArray()
        defineClass(name, code, 0, code.length)
    }

    private void strip(ClassNode node) {
        List<FieldNode> fields = (node.fields as List<FieldNode>).findAll { foreign(it.visibleAnnotations as List<AnnotationNode>) }
        List<String> accessors = fields.collectMany { FieldNode it -> ['get', 'set', 'is'].collect { verb -> verb + it.name.capitalize() } }
        node.fields.removeAll(fields)
        node.methods.removeAll { MethodNode it -> it.name in accessors || foreign(it.visibleAnnotations as List<AnnotationNode>) }
    }

    private boolean foreign(List<AnnotationNode> annotations) {
        annotations?.any { it.desc == 'Lstandin/Only;' && it.values[1] != version }
    }
}
