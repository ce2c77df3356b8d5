// The controller's state: clouds in HOME/config.xml, agents in HOME/nodes, both in the form Jenkins writes.
package jenkins.model

import java.nio.file.*
import java.util.concurrent.ConcurrentHashMap

class Jenkins {
    public static final XStream2 XSTREAM2 = new XStream2()
    public static final String SESSION_HASH = UUID.randomUUID().toString().take(8)
    public static String VERSION
    private static Jenkins theInstance
    public final CloudList clouds = new CloudList()
    final PluginManager pluginManager = new PluginManager()
    final File rootDir
    String rootUrl
    private final Map<String, Label> labels = new ConcurrentHashMap<String, Label>()

    private Jenkins(File home) { rootDir = home }
    /** Starts from what HOME holds; a second call starts anew. */
    static Jenkins load(File home, String version) {
        VERSION = version
        Jenkins loaded = new Jenkins(home)
        File file = new File(home, 'config.xml')
        loaded.clouds.load(file.file ? XSTREAM2.fromXML(file).clouds : [])
        // only now: pipelines load it anew while other branches ask it
        theInstance = loaded
    }
    static Jenkins get() { Objects.requireNonNull(theInstance, 'Jenkins.instance is missing') }
    static Jenkins getInstance() { theInstance }
    static VersionNumber getVersion() { new VersionNumber(VERSION) }
    Cloud getCloud(String name) { clouds.getByName(name) }
    Label getLabel(String expression) {
        if (!expression || expression =~ /[\s&|!()<>"]/) {
            throw new UnsupportedOperationException("the stand-in knows plain labels only, not '$expression'")
        }
        labels.computeIfAbsent(expression) { new LabelAtom(it) }
    }
    void trimLabels() { labels.values()*.reset() }
    /** Read anew each time: agents are made by another process. */
    List<Node> getNodes() {
        List<String> names = new File(rootDir, 'nodes').list()?.sort() ?: []
        names.collect { new File(rootDir, "nodes/$it/config.xml") }.findAll { it.file }.collect { XSTREAM2.fromXML(it) }
    }
    Node getNode(String name) { nodes.find { it.nodeName == name } }
    void addNode(Node node) {
        write("nodes/$node.nodeName/config.xml", node)
        trimLabels()
    }
    void removeNode(Node node) {
        new File(rootDir, "nodes/$node.nodeName").deleteDir()
        trimLabels()
    }
    synchronized void save() { write('config.xml', new Config(version: VERSION, clouds: clouds.toList())) }
    /** Beside the file, then over it: a reader or a killed process never meets half of one. */
    private void write(String name, Object content) {
        Path file = new File(rootDir, name).toPath()
        Files.createDirectories(file.parent)
        Path part = Files.createTempFile(file.parent, 'atomic', 'tmp')
        part.setText("<?xml version='1.1' encoding='UTF-8'?>\n${XSTREAM2.toXML(content)}\n", 'UTF-8')
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE)
    }
    static { XSTREAM2.alias('hudson', Config) }
    /** What config.xml holds of all that. */
    private static class Config {
        String version
        List<Cloud> clouds
    }

    static class CloudList extends PersistedList<Cloud> {
        /** The first of that name: nothing keeps two clouds from having one. */
        Cloud getByName(String name) { find { it.name == name } }
        @Override protected boolean modified() {
            Jenkins.get().save()
            Jenkins.get().trimLabels()
            true
        }
    }
}
