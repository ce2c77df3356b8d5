// The controller's state: clouds in HOME/config.xml, agents in HOME/nodes, both in the form Jenkins writes.
package jenkins.model

import groovy.transform.CompileStatic
import hudson.PluginManager
import hudson.model.Computer
import hudson.model.Label
import hudson.model.Node
import hudson.model.labels.LabelAtom
import hudson.slaves.Cloud
import hudson.util.PersistedList
import hudson.util.VersionNumber
import hudson.util.XStream2
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardCopyOption
import java.util.concurrent.ConcurrentHashMap

@CompileStatic
class Jenkins {
    public static final XStream2 XSTREAM2 = new XStream2()
    public static final XStream2 XSTREAM = XSTREAM2
    public static String VERSION
    private static Jenkins theInstance

    public final CloudList clouds = new CloudList(this)
    final PluginManager pluginManager = new PluginManager()
    final File rootDir
    private final Map<String, Label> labels = new ConcurrentHashMap<String, Label>()

    private Jenkins(File home) { rootDir = home }

    /** Starts from what HOME holds; a second call starts anew. */
    static Jenkins load(File home, String version) {
        VERSION = version
        theInstance = new Jenkins(home)
        theInstance.read()
        theInstance
    }

    static Jenkins get() {
        if (theInstance == null) {
            throw new IllegalStateException('Jenkins.instance is missing')
        }
        theInstance
    }

    static Jenkins getInstance() { theInstance }
    static Jenkins getInstanceOrNull() { theInstance }
    static VersionNumber getVersion() { new VersionNumber(VERSION) }
    Cloud getCloud(String name) { clouds.getByName(name) }

    Label getLabel(String expression) {
        if (!expression || expression =~ /[\s&|!()<>"]/) {
            throw new UnsupportedOperationException("the stand-in knows plain labels only, not '$expression'")
        }
        labels.computeIfAbsent(expression) { new LabelAtom(it) }
    }

    LabelAtom getLabelAtom(String name) { (LabelAtom) getLabel(name) }
    void trimLabels() { labels.values().each { it.reset() } }

    /** Read anew each time: agents are made by another process. */
    List<Node> getNodes() {
        String[] names = new File(rootDir, 'nodes').list() ?: new String[0]
        List<File> files = names.toList().sort().collect { String name -> new File(rootDir, "nodes/$name/config.xml") }
        files.findAll { it.file }.collect { (Node) XSTREAM2.fromXML(it) }
    }

    Node getNode(String name) { nodes.find { it.nodeName == name } }

    void addNode(Node node) {
        write(new File(rootDir, "nodes/$node.nodeName/config.xml"), node)
        trimLabels()
    }

    void removeNode(Node node) {
        new File(rootDir, "nodes/$node.nodeName").deleteDir()
        trimLabels()
    }

    Computer[] getComputers() { nodes.collect { it.toComputer() } as Computer[] }
    Computer getComputer(String name) { getNode(name)?.toComputer() }
    synchronized void save() { write(new File(rootDir, 'config.xml'), new Config(version: VERSION, clouds: clouds.toList())) }

    private void read() {
        File file = new File(rootDir, 'config.xml')
        if (file.file) {
            clouds.load(((Config) XSTREAM2.fromXML(file)).clouds)
        }
    }

    /** Beside the file, then over it: a reader or a killed process never meets half of one. */
    private static void write(File file, Object content) {
        file.parentFile.mkdirs()
        Path part = Files.createTempFile(file.parentFile.toPath(), 'atomic', 'tmp')
        part.toFile().setText("<?xml version='1.1' encoding='UTF-8'?>\n${XSTREAM2.toXML(content)}\n", 'UTF-8')
        Files.move(part, file.toPath(), StandardCopyOption.ATOMIC_MOVE)
    }

    static {
        XSTREAM2.alias('hudson', Config)
    }

    /** What config.xml holds of all that. */
    @CompileStatic
    private static class Config {
        String version
        List<Cloud> clouds
    }

    @CompileStatic
    static class CloudList extends PersistedList<Cloud> {
        private final Jenkins owner

        CloudList(Jenkins owner) { this.owner = owner }

        Cloud getByName(String name) { find { Cloud it -> it.name == name } as Cloud }

        protected void load(List<Cloud> saved) { set(saved) }

        @Override protected void onModified() {
            owner.save()
            owner.trimLabels()
        }
    }
}
