// What `jenkins-kaniko sync` runs on a controller, through its script console. The text is constant: all data
// comes in by one call of answer() put after this text, as gzipped base64 JSON in string literals, so that nothing
// in a configuration can become code. Two verbs, read and apply; the thinking stays in Python.
// The answer is one line of JSON between two sentinels: a script console answers errors with HTTP 200 too.

import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic
import groovy.util.Node as Element
import jenkins.model.Jenkins
import java.lang.reflect.Modifier
import java.security.MessageDigest
import java.util.zip.GZIPInputStream

class Refusal extends RuntimeException {
    String code
    Map details
    Refusal(String code, String message, Map details = [:]) {
        super(message)
        this.code = code
        this.details = details
    }
}

/**
 * Objects of the plugin as plain data and back, through the XML that Jenkins itself keeps them in: so nothing here
 * depends on knowing their classes. An object is a map with its class, an object without any value its class's name.
 */
class PluginData {
    static final String PLUGIN = 'org.csanchez.jenkins.plugins.kubernetes.'
    // 1.1, as in Jenkins' own files: 1.0 has no control characters
    static final String HEAD = "<?xml version='1.1'?>"
    final def jenkins
    final ClassLoader plugins
    private final Map known = [:]
    private final Map emptyObjects = [:]

    PluginData(jenkins) {
        this.jenkins = jenkins
        this.plugins = jenkins.pluginManager.uberClassLoader
    }

    // Element, because Node is the one of Jenkins in a script console
    def of(value) {
        if (value == null || value == '') {
            return null
        }
        if (value instanceof Boolean || value instanceof Number || value instanceof String) {
            return value
        }
        if (value instanceof Enum) {
            return value.name()
        }
        if (value instanceof Collection) {
            return value.collect { of(it) }
        }
        def text = jenkins.XSTREAM2.toXML(value)
        if (!known.containsKey(text)) {
            known[text] = object(parsed(text)) // most objects of a cloud are alike, and a parser is slow to make
        }
        return known[text]
    }

    private Element parsed(String text) {
        def parser = new XmlParser(false, false)
        parser.trimWhitespace = false
        parser.keepIgnorableWhitespace = true // it may be all of a value
        return parser.parseText(HEAD + text)
    }

    private def object(Element node) {
        def type = shortName(node.name())
        return described(type, fields(node))
    }

    /** Without what an object of that class has anyway: a number or a switch is written even if nobody set it. */
    private def described(String type, Map values) {
        def set = values - empty(type)
        return set ? [class: type] + set : type
    }

    /** What an object of a class holds that was given nothing; an empty map for what cannot be made. */
    Map empty(String type) {
        if (!emptyObjects.containsKey(type)) {
            emptyObjects[type] = exists(type) ? switches(plugins.loadClass(PLUGIN + type)) + fieldsOfEmpty(PLUGIN + type) : [:]
        }
        return emptyObjects[type]
    }

    private Map fieldsOfEmpty(String type) {
        try {
            return fields(parsed(jenkins.XSTREAM2.toXML(jenkins.XSTREAM2.fromXML("<${type}/>".toString()))))
        } catch (Exception ignored) {
            return [:] // one that is never without values
        }
    }

    boolean exists(String type) {
        try {
            return !Modifier.isAbstract(plugins.loadClass(PLUGIN + type).modifiers)
        } catch (ClassNotFoundException ignored) {
            return false
        }
    }

    /** The values that a class keeps, each with what an object has that was given nothing; null without that class. */
    Map kind(String type) {
        return exists(type) ? persistent(plugins.loadClass(PLUGIN + type)).collectEntries { [it.name, empty(type)[it.name]] } : null
    }

    /** A Boolean that is not set counts as false everywhere in the plugin. */
    private Map switches(Class type) { return persistent(type).findAll { it.type == Boolean }.collectEntries { [it.name, 'false'] } }

    private List persistent(Class type) {
        def fields = type.declaredFields.findAll { !it.synthetic && !Modifier.isStatic(it.modifiers) && !Modifier.isTransient(it.modifiers) }
        return fields.toList() + (type.superclass ? persistent(type.superclass) : [])
    }

    private Map fields(Element node) {
        def found = [:]
        node.children().findAll { it instanceof Element }.each { found[it.name()] = field(it) }
        return found.findAll { it.value != null && it.value != '' && it.value != [] }
    }

    private def field(Element node) {
        def inner = node.children().findAll { it instanceof Element }
        if (node.attribute('class')) {
            return described(shortName(node.attribute('class')), fields(node))
        }
        if (inner.isEmpty()) {
            return node.text()
        }
        return inner.every { it.name().contains('.') } ? inner.collect { object(it) } : fields(node)
    }

    private String shortName(String type) {
        return type.startsWith(PLUGIN) ? type - PLUGIN : type
    }

    /** The object that `of` described; its class is one of the plugin's, whatever the data says. */
    def made(value) {
        def type = value instanceof Map ? value.class : value
        return jenkins.XSTREAM2.fromXML(HEAD + xml(className(type), value instanceof Map ? value.findAll { it.key != 'class' } : [:]))
    }

    private String xml(String name, value) {
        if (value instanceof Map) {
            def type = value.class ? " class=\"${className(value.class)}\"" : ''
            def inner = value.findAll { it.key != 'class' }.collect { key, item -> xml(element(key), item) }
            return "<${name}${type}>${inner.join('')}</${name}>"
        }
        if (value instanceof List) {
            def items = value.collect { item ->
                item instanceof Map ? xml(className(item.class), item.findAll { it.key != 'class' }) : "<${className(item)}/>"
            }
            return "<${name}>${items.join('')}</${name}>"
        }
        return "<${name}>${escaped(value.toString())}</${name}>"
    }

    /** Looked up first: what XStream cannot resolve inside of an object it leaves out in silence. */
    private String className(type) {
        if (!exists(element("${type}"))) {
            throw new IllegalArgumentException("this plugin version has no ${type}")
        }
        return PLUGIN + type
    }

    private String element(String name) {
        if (!(name ==~ /[A-Za-z][\w.]*/)) {
            throw new IllegalArgumentException("'${name}' is not the name of a property or class")
        }
        return name
    }

    private String escaped(String text) {
        return text.replaceAll(/[&<>\u0000-\u001f\u007f-\u009f]/) { String found -> "&#${(int) found.charAt(0)};" }
    }
}

class PodTemplates {
    // Every property that a configuration can set; what else a template holds counts in the state's hash.
    static final List<String> FIELDS = ['name', 'label', 'namespace', 'inheritFrom', 'idleMinutes', 'instanceCap',
        'slaveConnectTimeout', 'activeDeadlineSeconds', 'podRetention', 'nodeUsageMode', 'showRawYaml',
        'annotations', 'yaml', 'yamlMergeStrategy', 'inheritYamlMergeStrategy', 'workspaceVolume', 'agentContainer',
        'agentInjection', 'containers', 'volumes', 'envVars', 'imagePullSecrets', 'serviceAccount', 'nodeSelector',
        'hostNetwork', 'supplementalGroups', 'runAsUser', 'runAsGroup', 'schedulerName',
        'terminationGracePeriodSeconds', 'capOnlyOnAlivePods', 'nodeProperties']
    static final List<String> CLOUD_FIELDS = ['serverUrl', 'serverCertificate', 'skipTlsVerify', 'credentialsId',
        'namespace', 'jenkinsUrl', 'jenkinsTunnel', 'webSocket', 'directConnection', 'jnlpregistry',
        'restrictedPssSecurityContext', 'containerCapStr', 'maxRequestsPerHostStr', 'connectTimeout', 'readTimeout',
        'retentionTimeout', 'waitForPodSec', 'podRetention', 'podLabels', 'defaultsProviderTemplate',
        'addMasterProxyEnvVars', 'useJenkinsProxy', 'usageRestricted']
    // Classes of the objects in them, for what a version lacks; one that is not listed is looked up when it is made.
    static final List<String> KINDS = ['ContainerTemplate', 'ContainerLivenessProbe', 'PodImagePullSecret', 'PodLabel',
        'PortMapping', 'model.KeyValueEnvVar', 'model.SecretEnvVar', 'pod.retention.Always', 'pod.retention.Default',
        'pod.retention.Evicted', 'pod.retention.Never', 'pod.retention.OnFailure', 'pod.yaml.Merge',
        'pod.yaml.Overrides', 'volumes.ConfigMapVolume', 'volumes.DynamicPVCVolume', 'volumes.EmptyDirVolume',
        'volumes.GenericEphemeralVolume', 'volumes.HostPathVolume', 'volumes.NfsVolume',
        'volumes.PersistentVolumeClaim', 'volumes.SecretVolume', 'volumes.workspace.DynamicPVCWorkspaceVolume',
        'volumes.workspace.EmptyDirWorkspaceVolume', 'volumes.workspace.GenericEphemeralWorkspaceVolume',
        'volumes.workspace.HostPathWorkspaceVolume', 'volumes.workspace.NfsWorkspaceVolume',
        'volumes.workspace.PersistentVolumeClaimWorkspaceVolume']

    final def jenkins
    final ClassLoader plugins
    final PluginData data
    private final Map present = [:]

    PodTemplates(jenkins) {
        this.jenkins = jenkins
        this.plugins = jenkins.pluginManager.uberClassLoader
        this.data = new PluginData(jenkins)
    }

    Map answer(Map input) {
        def plugin = jenkins.pluginManager.getPlugin('kubernetes')
        if (plugin == null || !plugin.active) {
            throw new Refusal('plugin-missing', 'the kubernetes plugin is not installed or not active')
        }
        if (input.verb == 'apply') {
            // two clients at once: the second one finds that the state moved
            synchronized (jenkins) {
                apply(findCloud(input), input)
            }
        }
        return state(findCloud(input), input, plugin.version.toString())
    }

    /** Null where there is none and the caller would create it. */
    def findCloud(Map input) {
        def kind = load('KubernetesCloud')
        def named = jenkins.clouds.findAll { it.name == input.cloud }
        def found = named.findAll { kind.isInstance(it) }
        if (named.size() > 1) {
            throw new Refusal('cloud-ambiguous', "${named.size()} clouds are named '${input.cloud}'")
        }
        if (found.isEmpty() && (named || !input.mayCreate)) {
            def names = jenkins.clouds.findAll { kind.isInstance(it) }.collect { it.name }
            throw new Refusal('cloud-missing', "no Kubernetes cloud is named '${input.cloud}'", [clouds: names])
        }
        return found ? found[0] : null
    }

    Map state(cloud, Map input, String pluginVersion) {
        def fresh = load('PodTemplate').getConstructor(String).newInstance('fresh')
        def defaults = fields(fresh, FIELDS, [:])
        def cloudDefaults = fields(newCloud('fresh'), CLOUD_FIELDS, [:])
        // `templates` are the cloud's own; getAllTemplates() would add those of running podTemplate steps
        def templates = cloud == null ? [] : cloud.templates
        return [
            cloud: input.cloud, exists: cloud != null, core: jenkins.getVersion().toString(), plugin: pluginVersion,
            hash: hash(cloud), defaults: defaults, casc: cascSources(), cloudDefaults: cloudDefaults,
            cloudFields: cloud == null ? [:] : fields(cloud, CLOUD_FIELDS, cloudDefaults),
            agents: cloud == null ? [] : agents(cloud.name), kinds: KINDS.collectEntries { [it, data.kind(it)] },
            templates: templates.collect { described(it, defaults, input.backup) },
        ]
    }

    Map described(template, Map defaults, backup) {
        def found = [id: template.id, name: template.name, fields: fields(template, FIELDS, defaults)]
        return backup ? found + [xml: jenkins.XSTREAM2.toXML(template)] : found
    }

    /** What differs from a new object of this plugin version; every property where `defaults` is empty. */
    Map fields(object, List<String> names, Map defaults) {
        def result = [:]
        present(object, names).each { name ->
            def value = name == 'annotations' ? annotations(object) : data.of(object[name])
            if (defaults.isEmpty() || value != defaults[name]) {
                result[name] = value
            }
        }
        return result
    }

    /** Those of `names` that this plugin version has. */
    List<String> present(object, List<String> names) {
        if (!present.containsKey(object.class)) {
            present[object.class] = names.findAll { object.metaClass.hasProperty(object, it) }
        }
        return present[object.class]
    }

    List<Map> annotations(template) { return template.annotations.collect { [key: it.key, value: it.value] } }

    /** Agents of the cloud, which keep the pod that their template described when they were made. */
    List<Map> agents(String cloudName) {
        def kind = load('KubernetesSlave')
        return jenkins.nodes.findAll { kind.isInstance(it) && it.cloudName == cloudName }.collect {
            [name: it.nodeName, template: it.templateId, idle: it.toComputer()?.idle ?: false]
        }
    }

    void apply(cloud, Map input) {
        if (hash(cloud) != input.hash) {
            throw new Refusal('state-moved', "cloud '${input.cloud}' changed since the plan")
        }
        // everything is made before anything is changed: a value that does not fit leaves all as it was
        def old = cloud == null ? [] : new ArrayList(cloud.templates)
        def templates = input.templates.collect { it.keep != null ? old[it.keep] : build(it.put) }
        def changed = input.cloudFields == null ? cloud : filledCloud(cloud, input)
        def before = jenkins.clouds.toList()
        try {
            changed.setTemplates(templates)
            // saves and trims labels in one; replace() and clear() do neither
            jenkins.clouds.replaceBy(cloud == null ? before + changed : before.collect { it.is(cloud) ? changed : it })
        } catch (IOException problem) {
            undo(before, cloud, old)
            throw new Refusal('not-saved', "Jenkins could not save the change: ${problem.message}")
        }
    }

    /** A new cloud, or a copy of the one that is there, with all that nobody asked to change. */
    def filledCloud(cloud, Map input) {
        def kind = load('KubernetesCloud')
        def filled = cloud == null ? newCloud(input.cloud) : kind.getConstructor(String, kind).newInstance(input.cloud, cloud)
        fill(filled, input.cloudFields, CLOUD_FIELDS, "cloud ${input.cloud}")
        return filled
    }

    /** What is in memory must be what is on the disk: else the change would be there until the next restart only. */
    void undo(List clouds, cloud, List templates) {
        cloud?.setTemplates(templates)
        try {
            jenkins.clouds.replaceBy(clouds)
        } catch (IOException ignored) {
            // the list is back before it cannot be saved
        }
    }

    def build(Map wanted) {
        if (wanted.xml != null) {
            return restored(wanted)
        }
        def template = load('PodTemplate').getConstructor(String).newInstance(wanted.id)
        fill(template, wanted.fields, FIELDS, "template ${wanted.fields.name}")
        return template
    }

    def restored(Map wanted) {
        def template = null
        try {
            template = jenkins.XSTREAM2.fromXML(PluginData.HEAD + wanted.xml)
        } catch (Exception ignored) {
            // the same as what is no template
        }
        if (!load('PodTemplate').isInstance(template)) {
            throw new Refusal('backup-invalid', "the backup's text of template ${wanted.id} is not one of a pod template")
        }
        return template
    }

    void fill(object, Map values, List<String> names, String whose) {
        values.each { name, value ->
            if (!(name in present(object, names))) {
                throw new Refusal('field-unknown', "${whose}: this plugin version has no field '${name}'", [field: name])
            }
            try {
                object[name] = convert(name, value)
            } catch (Exception problem) {
                throw new Refusal('field-invalid', "${whose}: ${name} cannot be ${JsonOutput.toJson(value).take(200)}: ${reason(problem)}")
            }
        }
    }

    String reason(Exception problem) { return "${problem.message ?: problem.class.simpleName}".readLines()[0].take(200) }

    def convert(String name, value) {
        switch (name) {
            case 'nodeUsageMode':
                return plugins.loadClass('hudson.model.Node$Mode').valueOf(value)
            case 'annotations':
                def kind = load('PodAnnotation').getConstructor(String, String)
                return value.collect { kind.newInstance(it.key, it.value) }
            case ['podRetention', 'yamlMergeStrategy', 'workspaceVolume', 'nodeProperties']:
                return value == null ? null : data.made(value)
            default:
                return value instanceof List ? value.collect { data.made(it) } : value
        }
    }

    def newCloud(String name) { return load('KubernetesCloud').getConstructor(String).newInstance(name) }

    /** Of all that Jenkins keeps of the cloud, whether or not it is known here. */
    String hash(cloud) {
        def xml = cloud == null ? '' : jenkins.XSTREAM2.toXML(cloud)
        return MessageDigest.getInstance('SHA-256').digest(xml.getBytes('UTF-8')).encodeHex().toString()
    }

    /** Sources of configuration-as-code that define clouds: their next reload replaces the list of clouds. */
    List<String> cascSources() {
        def plugin = jenkins.pluginManager.getPlugin('configuration-as-code')
        if (plugin == null || !plugin.active) {
            return []
        }
        def casc = plugins.loadClass('io.jenkins.plugins.casc.ConfigurationAsCode').get()
        return casc.sources.collectMany { yamlFiles(it) }.findAll { definesClouds(it) }*.toString()
    }

    List<File> yamlFiles(String source) {
        def file = new File(source)
        return file.directory ? file.listFiles().findAll { it.name ==~ /.*\.ya?ml/ }.sort() : [file]
    }

    boolean definesClouds(File file) {
        // a source that is a URL is no file here; it counts as one that may define them
        return !file.file || file.getText('UTF-8') =~ /(?m)^\s+clouds\s*:/
    }

    Class load(String name) {
        return plugins.loadClass(PluginData.PLUGIN + name)
    }
}

String unpacked(List<String> input) {
    def bytes = new ByteArrayInputStream(input.join('').decodeBase64())
    return new GZIPInputStream(bytes).getText('UTF-8')
}

void answer(List<String> input) {
    Map envelope
    try {
        def request = new JsonSlurperClassic().parseText(unpacked(input))
        envelope = [ok: true] + new PodTemplates(Jenkins.get()).answer(request)
    } catch (Refusal refusal) {
        envelope = [ok: false, code: refusal.code, message: refusal.message] + refusal.details
    }
    println '<<<jenkins-kaniko'
    println JsonOutput.toJson(envelope)
    println 'jenkins-kaniko>>>'
}
