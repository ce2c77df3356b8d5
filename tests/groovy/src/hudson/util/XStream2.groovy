// Objects as Jenkins writes them: the outermost element of a plugin's class names plugin and version,
// and what a file holds too much is ignored.
package hudson.util

import com.thoughtworks.xstream.XStream
import com.thoughtworks.xstream.converters.MarshallingContext
import com.thoughtworks.xstream.converters.reflection.ReflectionConverter
import com.thoughtworks.xstream.io.HierarchicalStreamWriter
import com.thoughtworks.xstream.io.xml.PrettyPrintWriter
import com.thoughtworks.xstream.io.xml.StaxDriver
import groovy.transform.CompileStatic
import standin.Version

@CompileStatic
class XStream2 extends XStream {
    XStream2() {
        super(new Driver())
        classLoader = XStream2.classLoader
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
    @CompileStatic
    private static class Driver extends StaxDriver {
        @Override HierarchicalStreamWriter createWriter(Writer out) { new PrettyPrintWriter(out) }
    }

    @CompileStatic
    private static class OwnedConverter extends ReflectionConverter {
        OwnedConverter(XStream stream) { super(stream.mapper, stream.reflectionProvider) }

        @Override void marshal(Object source, HierarchicalStreamWriter writer, MarshallingContext context) {
            boolean outermost = source.class.name.startsWith('org.csanchez.') && context.get('owned') == null
            if (outermost) {
                context.put('owned', true)
                writer.addAttribute('plugin', "kubernetes@${Version.PLUGINS.kubernetes}")
            }
            super.marshal(source, writer, context)
            if (outermost) {
                context.put('owned', null)
            }
        }
    }
}
