// How Jenkins keeps its state: a list that saves its owner, objects as XML, and the numbers of versions.
package hudson.util

import com.thoughtworks.xstream.XStream
import com.thoughtworks.xstream.converters.MarshallingContext
import com.thoughtworks.xstream.converters.reflection.ReflectionConverter
import com.thoughtworks.xstream.io.HierarchicalStreamWriter
import com.thoughtworks.xstream.io.xml.*
import java.lang.module.ModuleDescriptor
import java.util.concurrent.CopyOnWriteArrayList

/** add, addAll, remove and replaceBy save the owner; replace and clear do not: core's own habits. */
abstract class PersistedList<T> extends AbstractList<T> {
    private volatile List<T> data = new CopyOnWriteArrayList<T>()
    @Override T get(int index) { data[index] }
    @Override int size() { data.size() }
    /** Knows no remove: so removeIf, retainAll and Groovy's removeAll { } throw. */
    @Override Iterator<T> iterator() { data.iterator() }
    public <U extends T> List<U> getAll(Class<U> type) { data.findAll { type.isInstance(it) } }
    public <U extends T> U get(Class<U> type) { getAll(type)[0] }
    List<T> toList() { new ArrayList<T>(data) }
    @Override boolean add(T item) { data.add(item) && modified() }
    @Override boolean addAll(Collection<? extends T> items) { data.addAll(items) && modified() }
    @Override boolean remove(Object item) { data.remove(item) && modified() }
    @Override void clear() { data.clear() }
    void replace(T from, T to) { load(data.collect { it == from ? to : it }) }
    void replaceBy(Collection<? extends T> items) {
        load(items)
        modified()
    }
    protected void load(Collection<? extends T> items) { data = new CopyOnWriteArrayList<T>(items) }
    protected abstract boolean modified()
}

/** The outermost element of a plugin's class names plugin and version; what a file holds too much is ignored. */
@CompileStatic class XStream2 extends XStream {
    XStream2() {
        super(new Driver())
        allowTypesByWildcard(['org.csanchez.**', 'hudson.**', 'jenkins.**'] as String[])
        ignoreUnknownElements()
        registerConverter(new OwnedConverter(this), PRIORITY_VERY_LOW)
        // Two objects that are one in memory are written twice.
        setMode(NO_REFERENCES)
    }
    /** Fills a new object with another's persistent fields. */
    static void copy(Object from, Object to) {
        XStream2 stream = new XStream2()
        stream.unmarshal(new Driver().createReader(new StringReader(stream.toXML(from))), to)
    }
    /** The JDK's parser reads the XML 1.1 of Jenkins, XStream's own does not. */
    private static class Driver extends StaxDriver {
        @Override HierarchicalStreamWriter createWriter(Writer out) { new PrettyPrintWriter(out) }
    }
    private static class OwnedConverter extends ReflectionConverter {
        OwnedConverter(XStream stream) { super(stream.mapper, stream.reflectionProvider) }
        @Override void marshal(Object source, HierarchicalStreamWriter writer, MarshallingContext context) {
            boolean inOurs = context.get('inOurs')
            boolean ours = source.class.name.startsWith('org.csanchez.')
            if (ours && !inOurs) {
                writer.addAttribute('plugin', "kubernetes@${Version.PLUGINS.kubernetes}")
            }
            context.put('inOurs', ours || inOurs)
            super.marshal(source, writer, context)
            context.put('inOurs', inOurs)
        }
    }
}

@EqualsAndHashCode(includeFields = true) class VersionNumber implements Comparable<VersionNumber> {
    private final ModuleDescriptor.Version version
    VersionNumber(String text) { version = ModuleDescriptor.Version.parse(text) }
    @Override int compareTo(VersionNumber other) { version <=> other.version }
    @Override String toString() { version }
}
