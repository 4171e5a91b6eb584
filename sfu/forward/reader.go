package forward

import "github.com/turnout-rtc/turnout/sfu/codec"

// Reader reads what slots must know of the packets of one source, once for all of them. It is made by NewReader and has one
// owner.
type Reader struct {
	codec        codec.Codec
	descriptorID uint8
	extensions   ExtensionIDs

	structure, before *codec.Structure // of dependency descriptors, now and before; nil for none
	since             uint64           // number of the packet that brought structure
}

// NewReader makes a reader for packets that look like that.
func NewReader(f *Format) Reader {
	return Reader{codec: f.Codec, descriptorID: f.DescriptorID, extensions: f.Extensions}
}

// Read fills in what in's payload and header extensions say: Key and all below it. N and Newer must be set.
func (r *Reader) Read(in *In) {
	in.Key, in.Frame, in.HasPicture, in.Structure = false, codec.Frame{}, false, nil
	if len(in.Payload) == 0 {
		return
	}
	in.Extensions = r.extensions.read(&in.Packet)
	in.Key = r.codec.KeyFrame(in.Payload)
	in.Picture, in.HasPicture = r.codec.ReadPicture(in.Payload)
	if raw := in.Extension(r.descriptorID); len(raw) > 0 && r.readDescriptor(in, raw) {
		in.Key = in.Descriptor.Start && in.Descriptor.Structure != nil
		in.Frame = in.Descriptor.Frame()
		return
	}
	in.Frame = r.codec.ReadFrame(in.Payload)
}

// readDescriptor reads a descriptor with the structure of its time.
func (r *Reader) readDescriptor(in *In, raw []byte) (ok bool) {
	structure := r.structure
	if in.N < r.since {
		structure = r.before
	}
	if in.Descriptor, ok = codec.ReadDescriptor(raw, structure); !ok {
		return false
	}
	if brought := in.Descriptor.Structure; brought != nil {
		structure = brought
		if in.N > r.since {
			r.before, r.structure, r.since = r.structure, brought, in.N
		}
	}
	in.Structure = structure
	return true
}
